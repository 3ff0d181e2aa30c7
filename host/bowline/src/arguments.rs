//! What can be written behind `bowline`.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold());

/// Runs incident runbooks, each step in a sandbox that never holds a key.
#[derive(Debug, Parser)]
#[command(name = "bowline", version, styles = STYLES, arg_required_else_help = true)]
#[command(after_help = "Try it without a cluster or an account:\n  \
    bowline run workflows/datadog-k8s-rollback.yaml --drill -p public_id=117\n\n\
    Exit codes: 0 success, 1 a step failed, 2 wrong input (nothing was started), \
    3 waits for a person, 4 denied, 130 cancelled.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) look: LookArguments,
    /// Show the lines that steps write for their authors, and tell more about what the host does,
    /// on stderr (twice: even more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct LookArguments {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = When::Auto)]
    pub(crate) color: When,
    /// Draw with ASCII only
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a workflow and follow it to its end
    Run(RunArguments),
    /// Show what a workflow would change, without changing it
    Plan(PlanArguments),
    /// Find mistakes in workflow files, without running anything
    Check(CheckArguments),
    /// Draw which step waits for which
    Graph(GraphArguments),
    /// Look at past and present runs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Say yes to a step that waits for it
    Approve(ApprovalArguments),
    /// Say no to a step that waits for an approval
    Deny(ApprovalArguments),
    /// Show who let what happen in a run, or check that nobody touched the record
    Audit(AuditArguments),
    /// Look at connections; never prints a credential
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Look at the steps' plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Practise on simulated services
    #[command(subcommand)]
    Drill(DrillCommand),
    /// Print the JSON Schema of workflow files, for editors
    Schema(SchemaArguments),
    /// Print a completion script for a shell
    Completions { shell: Shell },
    /// Compile the component on stdin: how this program calls itself
    #[command(name = "__compile", hide = true)]
    Compile,
}

/// Where settings come from.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// The operator's settings [default: $BOWLINE_CONFIG, else bowline.yaml beside the workflow
    /// or here, else $XDG_CONFIG_HOME/bowline/bowline.yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) what: WorkflowArguments,
    /// Make the writes that this plan has shown, and no others (see `bowline plan --out`)
    #[arg(long, value_name = "FILE")]
    pub(crate) plan_file: Option<PathBuf>,
    /// Leave runs alone that an earlier process did not bring to their end
    #[arg(long)]
    pub(crate) no_resume: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) what: WorkflowArguments,
    /// Keep the plan, for `bowline run --plan-file`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// A workflow, and what it is to be run with.
#[derive(Debug, Args)]
pub(crate) struct WorkflowArguments {
    /// The workflow file
    pub(crate) workflow: PathBuf,
    /// A parameter; a text unless the workflow declares another type
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<String>,
    /// A YAML or JSON file with parameters; -p goes before it
    #[arg(long, value_name = "FILE")]
    pub(crate) params_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    /// Practise: a simulated cluster and a simulated Datadog instead of the real ones
    #[arg(long)]
    pub(crate) drill: bool,
    /// Print events as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,
    /// Ask nothing, take every question as answered with yes
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Workflow files
    #[arg(required = true)]
    pub(crate) workflows: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    /// Print findings as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,
    /// Which findings make the check fail besides errors
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) deny: Option<Deny>,
    /// Only warn about steps whose plugin is not there
    #[arg(long)]
    pub(crate) allow_missing_plugins: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deny {
    Warnings,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArguments {
    /// The workflow file
    pub(crate) workflow: PathBuf,
    /// The form of the drawing
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub(crate) format: GraphFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    Text,
    Mermaid,
    Dot,
    Svg,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Print the tags of the language instead, for an editor's list of custom YAML tags
    #[arg(long)]
    pub(crate) tags: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, newest first
    List {
        #[command(flatten)]
        config: ConfigArguments,
        /// How many
        #[arg(short = 'n', long, default_value_t = 50, value_name = "COUNT")]
        limit: usize,
        /// Print JSON, one run per line
        #[arg(long)]
        json: bool,
    },
    /// Show one run: its steps, what they did outside, how it ended
    Show {
        /// The run, the beginning of its name, or @latest
        run: String,
        #[command(flatten)]
        config: ConfigArguments,
        /// Print its events as JSON, one per line
        #[arg(long)]
        json: bool,
    },
    /// Print what the steps of a run wrote
    Logs {
        /// The run, the beginning of its name, or @latest
        run: String,
        /// Only this step
        step: Option<String>,
        #[command(flatten)]
        config: ConfigArguments,
        /// Wait for further lines until the run ends
        #[arg(short, long)]
        follow: bool,
        /// Print JSON, one line of the log per line
        #[arg(long)]
        json: bool,
    },
    /// Ask a run that goes on in another process to stop
    Cancel {
        /// The run, the beginning of its name, or @latest
        run: String,
        #[command(flatten)]
        config: ConfigArguments,
    },
    /// Follow a run that goes on in another process
    Watch {
        /// The run, the beginning of its name, or @latest
        run: String,
        #[command(flatten)]
        config: ConfigArguments,
        /// Print events as JSON, one per line
        #[arg(long)]
        json: bool,
    },
    /// Bring a run to its end whose process died, or that waited for a person
    Resume(ResumeArguments),
    /// Try again what failed; what is done stays done
    Retry(RetryArguments),
    /// Say whether a write took effect of which nobody knows
    Resolve(ResolveArguments),
    /// Write the run down for a post-mortem, as Markdown
    Report {
        /// The run, the beginning of its name, or @latest
        run: String,
        #[command(flatten)]
        config: ConfigArguments,
    },
    /// Forget old runs that have ended, and give their space back
    Prune {
        /// How old: a number and `d`, `h` or `m`, counted from the run's end
        #[arg(long, value_name = "AGE", value_parser = age)]
        older_than: Duration,
        /// Only tell what would be forgotten
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        config: ConfigArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArguments {
    /// The run, the beginning of its name, or @latest
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    /// Print events as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RetryArguments {
    /// The run, the beginning of its name, or @latest
    pub(crate) run: String,
    /// The step to begin with [default: all that failed]
    #[arg(long, value_name = "STEP")]
    pub(crate) from: Option<String>,
    /// Also run steps again that have succeeded and changed something
    #[arg(long)]
    pub(crate) repeat: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    /// Print events as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArguments {
    /// The run, the beginning of its name, or @latest
    pub(crate) run: String,
    /// The step that waits
    pub(crate) step: String,
    /// Whether the write took effect
    #[arg(long, value_enum)]
    pub(crate) outcome: Outcome,
    /// Why you think so, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    /// It took effect
    Done,
    /// It did not
    NotDone,
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalArguments {
    /// The run, the beginning of its name, or @latest
    pub(crate) run: String,
    /// The step that waits
    pub(crate) step: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
}

/// `30d`, `12h`, `90m`.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{}` is not a number and `d`, `h` or `m`", text.escape_debug());
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        _ => return Err(wrong()),
    };
    let count: u32 = text[..text.len() - 1].parse().map_err(|_error| wrong())?;
    Ok(Duration::from_secs(u64::from(count) * seconds))
}

/// `bowline audit RUN` or `bowline audit verify [RUN]`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct AuditArguments {
    #[command(subcommand)]
    pub(crate) command: Option<AuditCommand>,
    /// The run, the beginning of its name, or @latest
    #[arg(required = true)]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    /// Print JSON, one decision per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that the journal is what was written; exit code 1 if it is not
    Verify {
        /// The run, the beginning of its name, or @latest [default: all, and the journal itself]
        run: Option<String>,
        #[command(flatten)]
        config: ConfigArguments,
        /// Print JSON, one finding per line and a line for the end
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// List what is set
    List {
        #[command(flatten)]
        config: ConfigArguments,
        /// Print JSON, one connection per line
        #[arg(long)]
        json: bool,
    },
    /// Try a connection with one cheap request
    Check {
        /// TYPE/NAME, for example kubernetes/prod; a NAME alone if there is only one
        name: String,
        #[command(flatten)]
        config: ConfigArguments,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins there are
    List {
        #[command(flatten)]
        config: ConfigArguments,
        /// Print JSON, one plugin per line
        #[arg(long)]
        json: bool,
    },
    /// Show what a plugin takes, gives, and asks for
    Inspect {
        /// A .wasm file, or a name from `plugin list`
        plugin: String,
        #[command(flatten)]
        config: ConfigArguments,
        /// Print the manifest as JSON
        #[arg(long)]
        json: bool,
    },
    /// Accept a plugin that is none of those inside the program, and remember it in bowline.lock
    Accept {
        /// A .wasm file, or a name from `plugin list`
        plugin: String,
        #[command(flatten)]
        config: ConfigArguments,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Whether a file is a plugin that this host can run
    Check {
        /// .wasm files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        config: ConfigArguments,
        /// Print JSON, one file per line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DrillCommand {
    /// Keep the practice cluster and the practice Datadog running for other processes
    Serve {
        /// Where to write settings that point --config at them
        #[arg(long, value_name = "FILE")]
        config_out: PathBuf,
        /// The address to listen on
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
        listen: IpAddr,
    },
}
