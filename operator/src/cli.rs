//! The command line: what was typed. What is usable of it is checked by each command.

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::{
    commands::{
        audit, check, eval, exchange, list, lock, operator, probe, serve, sidecar, test, webhook,
        why,
    },
    directory::printable,
};

/// Policies for Kubernetes and for services, written in Rego, decided everywhere alike.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    /// How logs are written to standard error.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "PORTCULLIS_LOG_FORMAT",
        help_heading = "Logging",
        hide_env_values = true
    )]
    pub log_format: LogFormat,

    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as
    /// `info,portcullis_webhook=debug`.
    #[arg(
        long,
        global = true,
        default_value = "info",
        env = "PORTCULLIS_LOG",
        help_heading = "Logging",
        hide_env_values = true
    )]
    pub log: String,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How `kubectl` finds a plugin.
const PLUGIN: &str = "kubectl-portcullis";

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Evaluate a query on policies and data.
    Eval(eval::Arguments),
    /// Run the tests of policies.
    Test(test::Arguments),
    /// Judge manifests as admission would.
    Check(check::Arguments),
    /// Judge what is in a cluster.
    Audit(audit::Arguments),
    /// Tell what is behind a decision's id.
    Why(why::Arguments),
    /// List policies, and what locks them.
    List(list::Arguments),
    /// Take a policy out of evaluation.
    Lock(lock::LockArguments),
    /// Put a locked policy back.
    Unlock(lock::UnlockArguments),
    /// Write a policy of a server to a signed archive.
    Export(exchange::ExportArguments),
    /// Have a server take a signed archive in.
    Import(exchange::ImportArguments),
    /// Serve policies of a directory, without a cluster.
    Serve(serve::Arguments),
    /// Answer admission reviews and evaluations in a cluster.
    Webhook(webhook::Arguments),
    /// Keep status, registration and certificates in a cluster; one replica leads.
    Operator(operator::Arguments),
    /// Answer evaluations beside a workload, on loopback.
    Sidecar(sidecar::Arguments),
    /// Ask a URL; succeed when the answer is 200.
    Probe(probe::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  portcullis serve                    serve the policies that come with portcullis
  portcullis serve ./policies         serve a directory, and follow its changes
  portcullis serve --help             all options, with examples
  portcullis eval -d policies/ -i input.json data.example.allow
  portcullis eval --url http://127.0.0.1:8181 -i input.json services/authorization@1.0
  portcullis test policies/           run the tests of a directory
  portcullis check -f web.yaml -p policies/    judge manifests as admission would
  portcullis why 0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11    what is behind a refusal
  portcullis list --locked            which policies are locked, by what and why
  portcullis lock services/authorization@1.0 --reason 'incident 4711' --for 2h";

/// Reads the command line, runs the command, and prints what went wrong.
pub fn run() -> ExitCode {
    let cli = match read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors of clap's, too: it knows where to print each.
            let printed = error.print();
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return if printed.is_ok() {
                ExitCode::from(code)
            } else {
                ExitCode::FAILURE
            };
        }
    };
    match cli.execute() {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to tell it to when standard error is closed.
            let _ = write!(io::stderr(), "{}", printable(&format!("error: {error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// Reads a command line. `kubectl portcullis` runs `kubectl-portcullis`, which may be a link to this
/// program, and is called so in what is printed then.
fn read(line: impl Iterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let line: Vec<OsString> = line.collect();
    let called = line.first().map(Path::new).and_then(Path::file_stem);
    let mut command = Cli::command();
    if called.is_some_and(|name| name == PLUGIN) {
        command = command.bin_name("kubectl portcullis");
    }
    Cli::from_arg_matches(&command.try_get_matches_from(line)?)
}

impl Cli {
    fn execute(self) -> anyhow::Result<ExitCode> {
        self.start_logging()?;
        match self.command {
            Command::Eval(arguments) => eval::run(arguments),
            Command::Test(arguments) => test::run(arguments),
            Command::Check(arguments) => check::run(arguments),
            Command::Audit(arguments) => audit::run(arguments),
            Command::Why(arguments) => why::run(arguments),
            Command::List(arguments) => list::run(&arguments),
            Command::Lock(arguments) => lock::lock(&arguments),
            Command::Unlock(arguments) => lock::unlock(&arguments),
            Command::Export(arguments) => exchange::export(&arguments),
            Command::Import(arguments) => exchange::import(&arguments),
            Command::Serve(arguments) => wait(serve::run(arguments)),
            Command::Webhook(arguments) => wait(webhook::run(arguments)),
            // It is large enough to be kept off the stack.
            Command::Operator(arguments) => wait(Box::pin(operator::run(arguments))),
            Command::Sidecar(arguments) => wait(sidecar::run(arguments)),
            Command::Probe(arguments) => wait(probe::run(arguments)),
        }
    }

    /// Logs go to standard error: standard output is for what was asked for.
    fn start_logging(&self) -> anyhow::Result<()> {
        let filter = EnvFilter::builder()
            .parse(&self.log)
            .map_err(|error| anyhow::anyhow!("`--log {}` is not a filter: {error}", self.log))?;
        let registry = tracing_subscriber::registry().with(filter);
        match self.log_format {
            LogFormat::Text => {
                let ansi = io::stderr().is_terminal();
                let layer = fmt::layer().with_writer(io::stderr).with_ansi(ansi);
                registry.with(layer).try_init()?;
            }
            LogFormat::Json => {
                let layer = fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(io::stderr);
                registry.with(layer).try_init()?;
            }
        }
        Ok(())
    }
}

/// Runs a command that waits for others.
fn wait(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(command)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("portcullis", "Usage: portcullis why ")]
    #[case("/usr/local/bin/kubectl-portcullis", "Usage: kubectl portcullis why ")]
    fn a_plugin_is_called_as_kubectl_calls_it(#[case] program: &str, #[case] expected: &str) {
        let line = [program, "why", "--help"].map(OsString::from);
        let help = read(line.into_iter()).unwrap_err().to_string();
        assert!(help.contains(expected), "{help}");
    }
}
