//! Who runs this program, as the system knows it: not as the environment says.

use connections::approvals::Person;
use nix::unistd::{Group, User, getegid, getgroups, getuid};

/// The user and the groups of this process.
pub(crate) fn who_am_i() -> Person {
    let mut groups = getgroups().unwrap_or_default();
    // Whether it is among them is left to each system.
    groups.push(getegid());
    let names = groups.into_iter().filter_map(|id| Some(Group::from_gid(id).ok()??.name));
    Person { name: name(), groups: names.collect() }
}

/// The user's name; the number where the system has no name for it.
pub(crate) fn name() -> String {
    let id = getuid();
    let known = User::from_uid(id).ok().flatten();
    known.map_or_else(|| format!("uid-{id}"), |user| user.name)
}
