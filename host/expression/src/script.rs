//! The script that a step's `input` lines stand for.
//!
//! The lines are never evaluated.

const SHEBANG: &str = "#!";
const DEFAULT_INTERPRETER: &str = "#!/bin/sh";

/// The lines as one script, which starts with the shell's `#!` line unless it has its own.
#[must_use]
pub fn for_input(lines: &[String]) -> String {
    let script = lines.join("\n");
    if script.starts_with(SHEBANG) { script } else { format!("{DEFAULT_INTERPRETER}\n{script}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_keeps_its_own_interpreter() {
        let cases = [
            (&["echo hi", "ls"][..], "#!/bin/sh\necho hi\nls"),
            (&["#!/bin/bash", "echo hi"], "#!/bin/bash\necho hi"),
            (&[], "#!/bin/sh\n"),
        ];
        for (lines, expected) in cases {
            let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            assert_eq!(for_input(&lines), expected);
        }
    }
}
