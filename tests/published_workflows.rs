//! The workflows that Relay published.

use crate::support::{Place, root, shared};

#[test]
fn the_published_form_of_the_runbook_runs_too() {
    let Some(path) = shared("relay/workflows/datadog-k8s-rollback.yaml") else { return };
    let place = Place::new();
    place.write("published.yaml", std::fs::read(path).expect("read it"));

    let done = place.run(&["run", "published.yaml", "--drill", "-p", "public_id=5", "--json"]);

    assert_eq!(done.ends(0).finished()["status"], "success");
}

#[test]
fn all_of_them_are_accepted_by_check() {
    let Some(folder) = shared("relay/workflows") else { return };
    let place = Place::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("list them") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let path = path.canonicalize().expect("its full path");
            place.run(&["check", "--allow-missing-plugins", path.to_str().expect("UTF-8")]).ends(0);
            count += 1;
        }
    }
    assert!(count >= 32, "{count}");
}

#[test]
fn the_article_s_runbook_is_here_to_the_letter() {
    let Some(path) = shared("relay/article-runbook.yaml") else { return };

    let ours =
        std::fs::read(root().join("workflows/datadog-k8s-rollback.yaml")).expect("read ours");

    assert_eq!(ours, std::fs::read(path).expect("read the article's"));
}
