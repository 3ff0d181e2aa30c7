//! The contract: read by a parser of its own, and compared with the copy that was released.

use crate::support::root;
use std::fs;
use wit_parser::Resolve;

fn resolve() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_dir(root().join("wit/plugin")).expect("read wit/plugin");
    resolve.push_dir(root().join("wit/connect")).expect("read wit/connect");
    resolve
}

#[test]
fn the_packages_have_the_names_and_versions_that_plugins_are_built_for() {
    let resolve = resolve();
    let mut names: Vec<String> =
        resolve.packages.iter().map(|(_, package)| package.name.to_string()).collect();
    names.sort();

    assert_eq!(names, ["bowline:connect@1.0.0", "bowline:plugin@1.0.0"]);
}

#[test]
fn everything_in_it_is_documented_and_says_since_when() {
    let resolve = resolve();
    let mut silent = Vec::new();
    for (_, interface) in &resolve.interfaces {
        let of = interface.name.clone().unwrap_or_default();
        if interface.stability.is_unknown() {
            silent.push(format!("{of}: no @since"));
        }
        for (name, function) in &interface.functions {
            // What a resource's or interface's own text says of all its functions counts.
            let documented = function.docs.contents.is_some()
                || interface.docs.contents.is_some()
                || name.starts_with("[method]");
            if !documented {
                silent.push(format!("{of}.{name}: no words"));
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

/// A released world must accept every component that was built for it. The released copy is
/// written once, at the release; a change here must fit it or raise the version.
#[test]
fn the_contract_is_compatible_with_its_released_copy() {
    let released = root().join("tests/wit-1.0.0");
    for package in ["plugin", "connect"] {
        let now = fs::read_dir(root().join("wit").join(package)).expect("list it");
        for entry in now {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name");
            let old = released.join(package).join(name);
            assert!(old.exists(), "{} has no released copy", path.display());
        }
    }
    let mut old = Resolve::default();
    let (old_plugin, _) = old.push_dir(released.join("plugin")).expect("read the released plugin");
    let (old_connect, _) =
        old.push_dir(released.join("connect")).expect("read the released connect");
    let mut new = Resolve::default();
    let (new_plugin, _) = new.push_dir(root().join("wit/plugin")).expect("read wit/plugin");
    let (new_connect, _) = new.push_dir(root().join("wit/connect")).expect("read wit/connect");
    for (old_package, new_package, world) in [
        (old_plugin, new_plugin, "step-base"),
        (old_plugin, new_plugin, "step-described"),
        (old_connect, new_connect, "connections"),
    ] {
        let mut both = new.clone();
        let mapped = both.merge(old.clone()).expect("put both side by side");
        let old_world = old.select_world(&[old_package], Some(world)).expect("the released world");
        let new_world = new.select_world(&[new_package], Some(world)).expect("the world of today");
        let old_world = mapped.map_world(old_world, Default::default()).expect("find it again");
        wit_component::semver_check(both, old_world, new_world)
            .unwrap_or_else(|error| panic!("{world} is not compatible: {error:#}"));
    }
}
