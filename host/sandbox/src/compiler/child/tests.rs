//! Children that misbehave in every way: each is refused with a named reason, in bounded time.

use super::*;

/// A shell in the place of the compiler.
fn shell(script: &str) -> ChildProgram {
    let limits = CompileLimits {
        time_max: Duration::from_millis(700),
        code_bytes_max: 64 << 10,
        ..CompileLimits::default()
    };
    ChildProgram { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()], limits }
}

fn refusal(program: &ChildProgram, component: &[u8]) -> (ArtifactError, Duration) {
    let started = Instant::now();
    let found = program.order(Task::Compile, 1, component, Weight::default());
    (found.expect_err("no code comes from a shell"), started.elapsed())
}

#[test]
fn a_child_that_misbehaves_is_refused_and_not_waited_for() {
    let cases = [
        ("silent", "exit 0", "plugin.compile-failed", "not an answer"),
        ("garbage", "cat >/dev/null; echo machine code", "plugin.compile-failed", "not an answer"),
        ("echo", "cat", "plugin.compile-failed", "not an answer"),
        ("exit code", "cat >/dev/null; exit 3", "plugin.compile-failed", "exit status: 3"),
        ("killed", "kill -9 $$", "plugin.compile-failed", "signal 9"),
        ("crash", "kill -11 $$", "plugin.compile-failed", "signal 11"),
        ("processor", "kill -XCPU $$", "plugin.compile-limit", "computing"),
        ("noise", "echo careful >&2", "plugin.compile-failed", "careful"),
        (
            "memory",
            "echo 'memory allocation of 9 bytes failed' >&2; kill -6 $$",
            "plugin.compile-limit",
            "2048 MiB of memory",
        ),
        (
            "stack",
            "echo 'thread main has overflowed its stack' >&2; kill -6 $$",
            "plugin.too-complex",
            "levels",
        ),
        ("late", "exec sleep 20", "plugin.compile-limit", "700ms"),
        ("late child", "sleep 20 & wait", "plugin.compile-limit", "700ms"),
        ("hangs on", "exec >&- 2>&-; sleep 20", "plugin.compile-failed", "did not end"),
        ("flood", "cat /dev/zero", "plugin.compile-limit", "MiB"),
        ("loud", "cat /dev/zero >&2", "plugin.compile-failed", "the compiler"),
    ];
    for (name, script, code, part) in cases {
        let (error, took) = refusal(&shell(script), b"component");
        assert_eq!(error.code, code, "{name}: {error}");
        assert!(error.message.contains(part), "{name}: {error}");
        assert!(took < Duration::from_secs(3), "{name} took {took:?}");
    }
}

#[test]
fn a_child_that_reads_nothing_does_not_hold_up_who_writes_to_it() {
    let large = vec![0; 8 << 20];
    let (error, took) = refusal(&shell("exec sleep 20"), &large);
    assert_eq!(error.code, "plugin.compile-limit");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_program_that_is_not_there_is_a_failure_with_its_name() {
    let program = ChildProgram { program: "/nowhere/compiler".into(), ..shell("") };
    let (error, _) = refusal(&program, b"component");
    assert_eq!(error.code, "plugin.compile-failed");
    assert!(error.message.contains("/nowhere/compiler"), "{error}");
}

#[test]
fn nothing_of_the_environment_reaches_the_child() {
    // The shell itself adds a few; what is the host's is not among them.
    let (error, _) = refusal(&shell("env | grep -v -e ^PWD -e ^SHLVL -e ^_= >&2"), b"component");
    assert!(error.message.contains("RAYON_NUM_THREADS="), "{error}");
    assert!(!error.message.contains("PATH"), "{error}");
    assert!(!error.message.contains("HOME"), "{error}");
}

#[test]
fn computing_time_grows_with_the_code() {
    let limits = CompileLimits::default();
    let of = |bytes| limits.cpu_time(Weight { code_bytes: bytes, functions: 0 });
    assert_eq!(of(0), Duration::from_secs(1));
    assert_eq!(of(1 << 20), Duration::from_secs(31));
    assert!(of(64 << 20) > limits.time_max);
    let many = limits.cpu_time(Weight { code_bytes: 0, functions: 10_000 });
    assert_eq!(many, Duration::from_secs(4), "0.3 ms for each function");
}

#[test]
fn who_only_checks_gets_less_time_and_is_told_who_gets_more() {
    let checking = CompileLimits::for_checking();
    let weight = Weight { code_bytes: 1 << 20, functions: 0 };
    assert_eq!(checking.cpu_time(weight), Duration::from_millis(6_500));

    let limits = CompileLimits { time_max: Duration::from_millis(300), ..checking };
    let (error, _) = refusal(&ChildProgram { limits, ..shell("exec sleep 20") }, b"component");
    assert!(error.message.contains("300ms") && error.message.contains("`bowline run`"), "{error}");
}
