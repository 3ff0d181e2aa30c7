//! Puts the first-party components into the program: whatever `plugins/build` has left in
//! `target/components`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=BOWLINE_COMPONENTS");
    let folder = env::var_os("BOWLINE_COMPONENTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components"),
        PathBuf::from,
    );
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut components: Vec<PathBuf> = fs::read_dir(&folder)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    components.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    components.sort();
    assert!(
        !components.is_empty(),
        "there are no components in `{}`; build them first with `make components`",
        folder.display()
    );
    let mut code = String::from("pub(crate) const COMPONENTS: &[sandbox::Embedded] = &[\n");
    for path in components {
        let path = path.canonicalize().expect("find a component that was just listed");
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let path = path.display().to_string();
        writeln!(
            code,
            "    sandbox::Embedded {{ name: {name:?}, bytes: include_bytes!({path:?}) }},"
        )
        .expect("write into a string");
    }
    code.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("components.rs"), code).expect("write the list of components");
}
