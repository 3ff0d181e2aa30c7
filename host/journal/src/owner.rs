//! Who this process is, and whether the owner of a run still lives.
//!
//! Read from the system's own list of processes (`/proc`), the one place where this room looks
//! at the machine. A journal file is meant for processes that see each other there.

use crate::Owner;
use std::fs;
use std::io;
use std::path::Path;

/// Names one start of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl Owner {
    /// This process.
    ///
    /// # Errors
    ///
    /// When `/proc` can't be read: without it nobody could tell later whether this process
    /// lives, so it must not own a run.
    pub fn this_process() -> io::Result<Self> {
        let pid = std::process::id();
        let began = began(&fs::read_to_string(stat_of(pid))?).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "`/proc` describes this process oddly")
        })?;
        Ok(Self { boot: boot()?, pid, started: began })
    }

    /// Whether this owner is a process that runs now, on this start of this machine.
    ///
    /// A process that has ended and was not collected by its parent does not live. When the
    /// name of the machine's start can't be read, the answer is yes: taking a run away from
    /// a living process is the worse mistake.
    #[must_use]
    pub fn lives(&self) -> bool {
        match boot() {
            Err(_) => true,
            Ok(boot) if boot != self.boot => false,
            Ok(_) => fs::read_to_string(stat_of(self.pid))
                .is_ok_and(|stat| began(&stat) == Some(self.started)),
        }
    }
}

fn boot() -> io::Result<String> {
    Ok(fs::read_to_string(Path::new(BOOT_ID))?.trim().to_owned())
}

fn stat_of(pid: u32) -> String {
    format!("/proc/{pid}/stat")
}

/// When the process of this `stat` line began, in ticks since the machine did (field 22).
/// None if it has ended already.
fn began(stat: &str) -> Option<u64> {
    // The second field is the program's name in brackets and may hold blanks and brackets.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_whatever_the_program_is_called() {
        let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 0 0";
        let cases = [
            (format!("7 (bowline) S {rest}"), Some(4711)),
            (format!("7 (a) b (c)) R {rest}"), Some(4711)),
            (format!("7 (bowline) Z {rest}"), None),
            ("7 (bowline) S 1 2".to_owned(), None),
            ("nonsense".to_owned(), None),
            (String::new(), None),
        ];
        for (stat, expected) in cases {
            assert_eq!(began(&stat), expected, "{stat}");
        }
    }

    #[test]
    fn this_process_lives_and_others_with_its_number_do_not() {
        let me = Owner::this_process().expect("read /proc");

        assert!(me.lives());
        assert!(!Owner { started: me.started + 1, ..me.clone() }.lives(), "a number used again");
        assert!(!Owner { boot: "before the reboot".into(), ..me.clone() }.lives());
        assert!(!Owner { pid: u32::MAX, ..me }.lives());
    }
}
