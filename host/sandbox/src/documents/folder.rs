//! The folder that a workflow stands in: the files that it may name, and no others.

use super::WorkflowFiles;
use std::fs;
use std::path::{Component, Path, PathBuf};
use workflow::documents::BYTES_MAX;

/// The folder of one workflow.
#[derive(Debug)]
pub struct WorkflowFolder {
    folder: PathBuf,
}

impl WorkflowFolder {
    /// The folder that `workflow`, a file, stands in.
    #[must_use]
    pub fn of(workflow: &Path) -> Self {
        let folder = workflow.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self { folder: folder.unwrap_or(Path::new(".")).to_owned() }
    }
}

impl WorkflowFiles for WorkflowFolder {
    fn read(&self, path: &str) -> Result<String, String> {
        let relative = Path::new(path);
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if path.is_empty() || path.contains('\0') || !relative.components().all(plain) {
            return Err("give a path inside of the workflow's folder, without `..`".to_owned());
        }
        let asked = self.folder.join(relative);
        let unreadable = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("there is no such file in `{}`", self.folder.display())
            }
            _ => format!("it can't be read: {error}"),
        };
        // A link may lead elsewhere, so what counts is where the file really is.
        let folder = self.folder.canonicalize().map_err(unreadable)?;
        let file = asked.canonicalize().map_err(unreadable)?;
        if !file.starts_with(&folder) {
            return Err("it is a link that leads out of the workflow's folder".to_owned());
        }
        let facts = fs::metadata(&file).map_err(unreadable)?;
        if !facts.is_file() {
            return Err("it is no file".to_owned());
        }
        if facts.len() > BYTES_MAX as u64 {
            return Err(format!("it has {} bytes, at most {BYTES_MAX} are read", facts.len()));
        }
        let bytes = fs::read(&file).map_err(unreadable)?;
        String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_inside_of_the_folder_are_read() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("runbooks");
        fs::create_dir_all(folder.join("manifests")).expect("folders");
        fs::write(folder.join("manifests/app.yaml"), "a: 1").expect("a file");
        fs::write(folder.join("binary"), b"\xff\xfe").expect("a file");
        fs::write(folder.join("large"), vec![b'x'; BYTES_MAX + 1]).expect("a file");
        fs::write(place.path().join("outside.yaml"), "secret").expect("a file");
        #[cfg(unix)]
        std::os::unix::fs::symlink("../outside.yaml", folder.join("link")).expect("a link");
        let files = WorkflowFolder::of(&folder.join("runbook.yaml"));

        assert_eq!(files.read("manifests/app.yaml"), Ok("a: 1".to_owned()));
        assert_eq!(files.read("./manifests/app.yaml"), Ok("a: 1".to_owned()));
        let refused = [
            ("../outside.yaml", "without `..`"),
            ("manifests/../../outside.yaml", "without `..`"),
            ("/etc/passwd", "without `..`"),
            ("", "without `..`"),
            ("a\0b", "without `..`"),
            ("manifests", "no file"),
            ("nope.yaml", "no such file"),
            ("binary", "UTF-8"),
            ("large", "at most"),
            #[cfg(unix)]
            ("link", "leads out"),
        ];
        for (path, why) in refused {
            let message = files.read(path).expect_err(path);
            assert!(message.contains(why), "{path:?}: {message}");
        }
    }
}
