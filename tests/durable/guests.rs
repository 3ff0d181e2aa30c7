//! Steps of the test's own that do one thing each: wait, fail for a while, write lines.

use crate::support::Place;
use tests::guest;

/// What every one of them has: `{}` as its outputs, and the answer that they are fine at 64.
const BASE: &str = r#"
  (memory (export "memory") 2)
  (data (i32.const 32) "{}")
  (data (i32.const 72) "\20\00\00\00\02\00\00\00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))"#;

const SLEEP: &str = r#"(import "bowline:plugin/runtime@1.0.0" "[method]context.sleep" (func $sleep (param i32 i64) (result i32)))"#;

const ATTEMPT: &str = r#"(import "bowline:plugin/runtime@1.0.0" "[method]context.attempt" (func $attempt (param i32) (result i32)))"#;

const LOG: &str =
    r#"(import "bowline:plugin/log@1.0.0" "write" (func $log (param i32 i32 i32 i32 i32)))"#;

fn put(place: &Place, name: &str, imports: &str, own: &str, run: &str) {
    let module = format!(
        "(module {imports} {BASE} {own}\n  (func (export \"bowline:plugin/step@1.0.0#run\") (param \
         i32 i32 i32) (result i32) {run}))"
    );
    let mut manifest = guest::manifest(name);
    manifest["limits"] = serde_json::json!({"attemptSeconds": 600});
    place.write(&format!("plugins/{name}.wasm"), guest::component(&module, &manifest));
}

/// A step that waits by asking the host to, and succeeds.
pub(crate) fn sleeper(place: &Place, name: &str, millis: u64) {
    let run = format!("(drop (call $sleep (local.get 0) (i64.const {millis}))) (i32.const 64)");
    put(place, name, SLEEP, "", &run);
}

/// A step that does not stop when it is asked to: it sleeps again and again, and counts to a large
/// number where that is refused.
pub(crate) fn stubborn(place: &Place, name: &str) {
    let run =
        "(loop $on (drop (call $sleep (local.get 0) (i64.const 1000))) (br $on)) (unreachable)";
    put(place, name, SLEEP, "", run);
}

/// How a step of the test's own fails.
#[derive(Clone, Copy)]
pub(crate) struct Flaky {
    /// Attempts that fail; the next one succeeds.
    pub(crate) failures: u32,
    /// What it asks to wait for, in milliseconds.
    pub(crate) retry_after_ms: Option<u64>,
    /// Whether it says that another attempt may succeed.
    pub(crate) retryable: bool,
}

/// A step that fails with the code `service.busy`.
pub(crate) fn flaky(place: &Place, name: &str, how: Flaky) {
    let bytes = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let asked = u8::from(how.retry_after_ms.is_some());
    // The failure at 256: the result's case, disposition, code, message, the wait if there is one.
    let own = format!(
        r#"(data (i32.const 128) "service.busy") (data (i32.const 160) "it is busy now")
  (data (i32.const 256) "\01") (data (i32.const 264) "{}")
  (data (i32.const 268) "{}") (data (i32.const 276) "{}")
  (data (i32.const 288) "{}") (data (i32.const 296) "{}")"#,
        bytes(&[u8::from(how.retryable)]),
        bytes(&[128, 0, 0, 0, 12, 0, 0, 0]),
        bytes(&[160, 0, 0, 0, 14, 0, 0, 0]),
        bytes(&[asked]),
        bytes(&how.retry_after_ms.unwrap_or_default().to_le_bytes()),
    );
    let run = format!(
        "(if (i32.le_u (call $attempt (local.get 0)) (i32.const {})) (then (return (i32.const \
         256)))) (i32.const 64)",
        how.failures
    );
    put(place, name, ATTEMPT, &own, &run);
}

/// A step that writes `before` numbered lines, waits, and writes `after` more. Each is padded to
/// `length` characters.
pub(crate) fn chatty(
    place: &Place,
    name: &str,
    (before, millis, after): (u32, u64, u32),
    length: u32,
) {
    let own = r#"(data (i32.const 8192) "line 00000")
  (global $next (mut i32) (i32.const 0))
  (func $say (local $rest i32) (local $at i32)
    (global.set $next (i32.add (global.get $next) (i32.const 1)))
    (local.set $rest (global.get $next))
    (local.set $at (i32.const 8201))
    (loop $digit
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $rest) (i32.const 10))))
      (local.set $rest (i32.div_u (local.get $rest) (i32.const 10)))
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (br_if $digit (i32.ge_u (local.get $at) (i32.const 8197))))
    (call $log (i32.const 2) (i32.const 8192) (i32.const LENGTH) (i32.const 0) (i32.const 0)))
  (func $say_many (param $more i32)
    (block $done (loop $line
      (br_if $done (i32.eqz (local.get $more)))
      (call $say)
      (local.set $more (i32.sub (local.get $more) (i32.const 1)))
      (br $line))))"#;
    let own = own.replace("LENGTH", &length.max(10).to_string());
    let run = format!(
        "(memory.fill (i32.const 8202) (i32.const 46) (i32.const 16384)) (call $say_many (i32.const \
         {before})) (drop (call $sleep (local.get 0) (i64.const {millis}))) (call $say_many \
         (i32.const {after})) (i32.const 64)"
    );
    put(place, name, &format!("{SLEEP} {LOG}"), &own, &run);
}
