//! Arguments of `portcullis test`.

use std::time::Duration;

use clap::ValueEnum;

use crate::commands::language::{Language, duration};

/// Arguments of `portcullis test`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a command line: each can be with each"
)]
pub struct Arguments {
    /// Files and directories of policies, tests and data; `a.b:PATH` puts data below `data.a.b`.
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<String>,

    /// Take each path for a bundle: a directory, or a `.tar.gz`.
    #[arg(short, long)]
    pub bundle: bool,

    /// Run only tests whose name, `data.a.test_b`, matches a regular expression.
    #[arg(short, long, value_name = "REGEX")]
    pub run: Option<String>,

    /// Print every test, and all that was tried by those that failed.
    #[arg(short, long)]
    pub verbose: bool,

    /// The same; for those who know it from OPA.
    #[arg(long, hide = true)]
    pub var_values: bool,

    /// How results are printed.
    #[arg(short, long, value_enum)]
    pub format: Option<Format>,

    /// How the results of `json` are sorted.
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,

    /// Say which lines are covered, as JSON; with `--format pretty`, as a table.
    #[arg(short, long)]
    pub coverage: bool,

    /// Exit with 2 when less is covered, in percent; implies `--coverage`.
    #[arg(long, value_name = "PERCENT")]
    pub threshold: Option<f64>,

    /// Measure the tests, one after the other, a second each.
    #[arg(long)]
    pub bench: bool,

    /// Longest time of a test: `500ms`, `5s` [default: 5s, with `--bench` 30s].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// How many tests run at once [default: one a processor].
    #[arg(short, long, value_name = "COUNT")]
    pub parallel: Option<usize>,

    /// How often all tests are run.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,

    /// Pass over files and folders of this name: `.*`, `fixtures`. Can be repeated.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub ignore: Vec<String>,

    /// Run the tests again whenever a file changes, until interrupted.
    #[arg(short, long)]
    pub watch: bool,

    /// Exit with 0 although tests were skipped.
    #[arg(short = 'z', long)]
    pub exit_zero_on_skipped: bool,

    /// Exit with 1 when there is no test.
    #[arg(long)]
    pub fail_on_empty: bool,

    /// The language's version.
    #[command(flatten)]
    pub language: Language,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Pretty,
    /// One JSON array, as OPA's.
    Json,
    /// JUnit's XML, which CI systems read.
    Junit,
    /// Go's benchmark format, with `--bench`.
    Gobench,
}

/// How results are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// In the order of the files.
    #[default]
    None,
    /// The slowest first.
    Duration,
}

const EXAMPLES: &str = "\
Examples:
  portcullis test policies/
  portcullis test policies/ --run 'limits.*memory' -v
  portcullis test -b bundle.tar.gz
  portcullis test policies/ --threshold 90 --format pretty
  portcullis test policies/ --format junit > results.xml
  portcullis test policies/ --watch

A test is a rule whose name begins with `test_`; `todo_test_` is skipped. Of `test_a[name]`, each
name is a case.

Exit status: 0 when all tests passed, 2 when one failed or was skipped or too little is covered, 1
when they cannot be run.";
