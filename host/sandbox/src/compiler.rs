//! Turns components into machine code: in a process of its own with bounds on time and memory, or
//! in this one.
//!
//! A compiler that reads a stranger's bytes can be made to run for hours or to want more memory
//! than there is. In a child that is the child's end and a named refusal. What comes back counts
//! only if it carries a keyed hash over what was sent.

mod admission;
mod child;
mod frame;
pub mod serve;

pub use child::ChildProgram;

use crate::artifact::{Artifact, ArtifactError, Weight};
use admission::Admission;
use effects::Layer;
use frame::Task;
use std::hash::{Hash, Hasher};
use std::time::Duration;
use wasmtime::{CodeBuilder, Engine};

/// What one compilation may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Wall-clock time.
    pub time_max: Duration,
    /// Computing time for every MiB of a component's code, all threads together, besides
    /// [`Self::cpu_time_min`]. Honest code takes a tenth of it on a machine of this decade.
    pub cpu_time_per_mib: Duration,
    /// Computing time for every function besides: even an empty one costs the compiler something.
    pub cpu_time_per_function: Duration,
    /// Computing time that every component gets.
    pub cpu_time_min: Duration,
    /// Bytes of address space.
    pub memory_bytes_max: u64,
    /// Bytes of compiled code that are taken from the child.
    pub code_bytes_max: u64,
    /// What to do about a refusal for want of time, if anything.
    pub remedy: &'static str,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            time_max: Duration::from_secs(60),
            cpu_time_per_mib: Duration::from_secs(30),
            cpu_time_per_function: Duration::from_micros(300),
            cpu_time_min: Duration::from_secs(1),
            memory_bytes_max: 2 << 30,
            code_bytes_max: 256 << 20,
            remedy: "",
        }
    }
}

impl CompileLimits {
    /// For looking at a file that nobody has decided to run: an answer within seconds.
    #[must_use]
    pub fn for_checking() -> Self {
        Self {
            time_max: Duration::from_secs(30),
            cpu_time_per_mib: Duration::from_secs(5),
            cpu_time_min: Duration::from_millis(1_500),
            remedy: "; `bowline run` allows more",
            ..Self::default()
        }
    }

    /// Computing time for a component of this weight.
    fn cpu_time(&self, weight: Weight) -> Duration {
        let for_code = self.cpu_time_per_mib.as_secs_f64() * mebibytes(weight.code_bytes);
        let functions = u32::try_from(weight.functions).unwrap_or(u32::MAX);
        let for_functions = self.cpu_time_per_function.saturating_mul(functions);
        self.cpu_time_min + Duration::from_secs_f64(for_code) + for_functions
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 64 MiB")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// How components become machine code.
pub struct Compiler {
    way: Way,
    admission: Admission,
}

enum Way {
    Here,
    Child(ChildProgram),
}

impl Compiler {
    /// In this process, without bounds: for components that are known, such as a test's own.
    #[must_use]
    pub fn here() -> Self {
        Self { way: Way::Here, admission: Admission::default() }
    }

    /// In a child process for each component.
    #[must_use]
    pub fn child(program: ChildProgram) -> Self {
        Self { way: Way::Child(program), admission: Admission::default() }
    }

    /// Checks and compiles a component. Blocks, also while as many compilations as the machine
    /// has room for are under way.
    ///
    /// # Errors
    ///
    /// What is wrong with the component; `plugin.compile-limit` with the limit and its value;
    /// `plugin.compile-failed` when the child's answer can't be trusted.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        bytes: &[u8],
        weight: Weight,
    ) -> Result<Vec<u8>, ArtifactError> {
        self.order(Task::Compile, engine, bytes, weight)
    }

    /// Checks a component as [`Self::compile`] does, and compiles nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::compile`].
    pub(crate) fn check(
        &self,
        engine: &Engine,
        bytes: &[u8],
        weight: Weight,
    ) -> Result<(), ArtifactError> {
        self.order(Task::Check, engine, bytes, weight).map(drop)
    }

    fn order(
        &self,
        task: Task,
        engine: &Engine,
        bytes: &[u8],
        weight: Weight,
    ) -> Result<Vec<u8>, ArtifactError> {
        let _admitted = self.admission.enter();
        match &self.way {
            Way::Child(program) if Layer::Compile.on() => {
                program.order(task, engine_hash(engine), bytes, weight)
            }
            _ => work(task, engine, bytes).map_err(|error| match error.code {
                frame::NO_MEMORY => ArtifactError::new("plugin.compile-limit", error.message),
                _ => error,
            }),
        }
    }
}

/// Does what a child is ordered to, in this process. Checking leaves no code.
fn work(task: Task, engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, ArtifactError> {
    match task {
        Task::Compile => compile_here(engine, bytes),
        Task::Check => Artifact::validate(bytes).map(|()| Vec::new()),
    }
}

/// Checks and compiles a component in this process.
pub(crate) fn compile_here(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, ArtifactError> {
    Artifact::validate(bytes)?;
    let mut builder = CodeBuilder::new(engine);
    let compiled =
        builder.wasm_binary(bytes, None).and_then(|builder| builder.compile_component_serialized());
    compiled.map_err(|error| {
        let text = format!("{error:#}");
        if child::tells_of_memory(&text) {
            return ArtifactError::new(frame::NO_MEMORY, text);
        }
        ArtifactError::new("plugin.malformed", format!("it can't be compiled: {text}"))
    })
}

/// Changes with wasmtime's version, its settings and the processor.
pub(crate) fn engine_hash(engine: &Engine) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}
