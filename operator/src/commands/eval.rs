//! `portcullis eval`: a query on policies and data, as `opa eval` has it; or with `--url` or
//! `--cluster` a question to a server's policy.

mod arguments;
mod output;
mod pretty;
mod remote;

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;
use portcullis_policies::{
    Diagnostic, Diagnostics, Document, Timestamp,
    workbench::{Answer, Kept, Look, Material, Order, Query, Setting},
};

pub use arguments::{Arguments, Criterion, Explain, Format};
use output::Output;

use crate::{
    files::{MAX_FILE, read_at_most, read_bounded},
    load::{self, Ignore, Load},
    presentation::printable_lines,
};

/// The query was not answered.
const FAILED: u8 = 2;

/// Answers a query. The exit status is OPA's: 2 for what is wrong, 1 for what `--fail` and
/// `--fail-defined` ask for.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.server.url.is_some() || arguments.cluster.is_some() {
        return remote::run(&arguments);
    }
    let plan = Plan::of(arguments)?;
    let (output, printed) = match plan.answer() {
        Ok(answer) => {
            let printed = answer.printed.clone();
            (Output::of(answer, &plan.costs), printed)
        }
        Err(faults) => (Output::wrong(faults), Vec::new()),
    };
    // What `print` printed comes first, as it does while OPA evaluates.
    let mut told = io::stderr().lock();
    for line in &printed {
        write!(told, "{}", printable_lines(line))?;
    }
    let mut out = io::stdout().lock();
    output.write(plan.format, plan.limit, &mut out, &mut told)?;
    out.flush()?;
    Ok(ExitCode::from(plan.status(&output)))
}

/// What is usable of the arguments.
struct Plan {
    load: Load,
    strict: bool,
    query: Query,
    input: Input,
    setting: Setting,
    format: Format,
    /// Longest text in a table; 0 for any.
    limit: usize,
    costs: Costs,
    fail: bool,
    fail_defined: bool,
}

/// Which costs are shown, and in which order.
struct Costs {
    limit: usize,
    order: Vec<Order>,
}

impl Plan {
    fn of(arguments: Arguments) -> anyhow::Result<Self> {
        let version = arguments.language.version();
        let text = match (arguments.query, arguments.stdin) {
            (Some(query), false) => query,
            (None, true) => read_stdin()?,
            (Some(_), true) => anyhow::bail!("specify query argument or --stdin but not both"),
            (None, false) => anyhow::bail!("specify query argument or --stdin"),
        };
        let input = Input::of(arguments.input, arguments.stdin_input);
        Ok(Self {
            load: Load {
                data: arguments.data,
                bundles: arguments.bundles,
                ignore: Ignore::new(&arguments.ignore),
                version,
            },
            strict: arguments.strict,
            query: Query {
                text,
                package: arguments.package,
                imports: arguments.imports,
                version,
            },
            input,
            setting: Setting {
                input: None,
                now: Timestamp::now(),
                seed: seed(),
                timeout: (!arguments.timeout.is_zero()).then_some(arguments.timeout),
                strict_errors: arguments.strict_builtin_errors,
                look: Look {
                    coverage: arguments.coverage,
                    profile: arguments.profile
                        || arguments.profile_limit.is_some()
                        || !arguments.profile_sort.is_empty(),
                    explanation: kept(arguments.explain),
                    swallowed: arguments.show_builtin_errors,
                },
            },
            format: arguments.format,
            limit: arguments.pretty_limit,
            costs: Costs {
                limit: arguments.profile_limit.unwrap_or(arguments::PROFILE_LIMIT),
                order: arguments.profile_sort.into_iter().map(order).collect(),
            },
            fail: arguments.fail,
            fail_defined: arguments.fail_defined,
        })
    }

    fn answer(&self) -> Result<Answer, Vec<Diagnostic>> {
        let input = self.input.read().map_err(|fault| vec![*fault])?;
        let setting = Setting {
            input,
            ..self.setting.clone()
        };
        let loaded = self.load.run()?;
        let all = |faults: Diagnostics| faults.iter().cloned().collect::<Vec<_>>();
        let material = Material::read(loaded.sources, &loaded.data, self.strict).map_err(all)?;
        material.ask(&self.query, &setting).map_err(all)
    }

    fn status(&self, output: &Output) -> u8 {
        if !output.is_answered {
            return FAILED;
        }
        let defined = output.is_defined();
        u8::from(self.fail && !defined || self.fail_defined && defined)
    }
}

fn kept(explain: Explain) -> Option<Kept> {
    match explain {
        Explain::Off => None,
        Explain::Full => Some(Kept::All),
        Explain::Fails => Some(Kept::Failures),
        Explain::Notes => Some(Kept::Notes),
    }
}

fn order(criterion: Criterion) -> Order {
    match criterion {
        Criterion::TotalTimeNs => Order::Time,
        Criterion::NumEval => Order::Evaluations,
        Criterion::NumRedo => Order::Further,
        Criterion::NumGenExpr => Order::Steps,
        Criterion::File => Order::File,
        Criterion::Line => Order::Line,
    }
}

/// Random numbers differ from one evaluation to the next.
pub(super) fn seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};

    RandomState::new().hash_one(std::process::id())
}

fn read_stdin() -> anyhow::Result<String> {
    let bytes =
        read_at_most(io::stdin().lock(), MAX_FILE).context("failed to read standard input")?;
    String::from_utf8(bytes).context("standard input is not UTF-8")
}

/// Where the input is.
enum Input {
    Undefined,
    File(String),
    Stdin,
}

impl Input {
    fn of(file: Option<String>, stdin: bool) -> Self {
        match file {
            Some(path) if path == "-" => Self::Stdin,
            Some(path) => Self::File(path),
            None if stdin => Self::Stdin,
            None => Self::Undefined,
        }
    }

    /// Reads JSON or YAML.
    fn read(&self) -> Result<Option<Document>, Box<Diagnostic>> {
        let unreadable = |error: anyhow::Error| {
            let message = format!("unable to read input: {error:#}");
            Box::new(Diagnostic::new("input_unreadable", message))
        };
        let (name, text) = match self {
            Self::Undefined => return Ok(None),
            Self::Stdin => ("standard input", read_stdin().map_err(unreadable)?),
            Self::File(path) => (path.as_str(), read_file(path).map_err(unreadable)?),
        };
        let document = load::json_or_yaml(name, &text);
        document.map(Some).map_err(|fault| {
            let message = format!("unable to parse input: {}", fault.message);
            let fault = Diagnostic::new("input_invalid", message);
            Box::new(fault.with_remedy("give it as JSON or YAML"))
        })
    }
}

fn read_file(path: &str) -> anyhow::Result<String> {
    let file = path.strip_prefix("file://").unwrap_or(path);
    let bytes = read_bounded(Path::new(file)).with_context(|| format!("`{path}`"))?;
    String::from_utf8(bytes).with_context(|| format!("`{path}` is not UTF-8"))
}
