//! The program: arguments, wiring, commands. It wires and prints, and has no rules of its own.

mod approvals;
mod arguments;
mod command;
mod components;
mod driving;
mod exit;
mod live;
mod lock;
mod output;
mod permits;
mod person;
mod planned;
mod signals;
mod stage;
mod switches;
mod tap;
mod wiring;

use anyhow::Context as _;
use arguments::{Arguments, Command};
use clap::Parser as _;
use exit::Exit;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Compile) {
        return command::compile::run();
    }
    switches::set();
    let output = Output::new(&arguments.look, arguments.verbose);
    start_log(arguments.verbose);
    say_panics();
    let result = dispatch(arguments.command, &output);
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.error(&format!("{error:#}"));
            Exit::Usage.into()
        }
    }
}

fn dispatch(command: Command, output: &Output) -> anyhow::Result<Exit> {
    match command {
        Command::Check(check) => command::check::run(&check, output),
        Command::Graph(graph) => command::graph::run(&graph, output),
        Command::Schema(schema) => command::schema::run(&schema, output),
        Command::Plugin(plugin) => command::plugin::run(&plugin, output),
        Command::Completions { shell } => command::completions::run(shell, output),
        Command::Compile => Ok(Exit::Usage),
        Command::Run(run) => runtime()?.block_on(command::run::run(run, output)),
        Command::Plan(plan) => runtime()?.block_on(command::plan::run(plan, output)),
        Command::Approve(what) => {
            let verdict = journal::Verdict::Approved;
            runtime()?.block_on(command::approve::run(&what, verdict, output))
        }
        Command::Deny(what) => {
            let verdict = journal::Verdict::Rejected;
            runtime()?.block_on(command::approve::run(&what, verdict, output))
        }
        Command::Connection(connection) => {
            runtime()?.block_on(command::connection::run(&connection, output))
        }
        Command::Audit(audit) => runtime()?.block_on(command::audit::run(&audit, output)),
        Command::Runs(runs) => runtime()?.block_on(command::runs::run(&runs, output)),
        Command::Drill(drill) => runtime()?.block_on(command::drill::run(&drill, output)),
    }
}

/// Two threads run steps side by side; what blocks has a thread of its own.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("can't start")
}

/// The operator's log, on stderr. What an author must know is in the run's journal instead.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "error",
        1 => "info",
        _ => "debug",
    };
    let others = if verbose == 0 { "off" } else { "error" };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(format!(
            // Other people's libraries tell an error that the caller handles; here it is in the
            // journal, with its connection.
            "{others},bowline={level},sandbox={level},scheduler={level},connections={level},journal={level}"
        )))
        .with_writer(|| output::CleanStderr)
        .without_time()
        .init();
}

/// What the host says when it meets a mistake of its own. A panic's message may repeat anything.
fn say_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let words = panic.payload_as_str().unwrap_or("no words");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = format!("bowline met a mistake of its own at {place}: {words}");
        output::CleanStderr.say(&output::visible(&text));
    }));
}
