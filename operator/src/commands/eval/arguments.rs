//! Arguments of `portcullis eval`.

use std::time::Duration;

use clap::ValueEnum;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName,
    HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};

use crate::{
    client::{ASKED, Installation, ServerArguments, parse_installation, parse_namespace},
    commands::language::{Language, duration},
};

/// Costs that are shown if nothing else is said.
pub(super) const PROFILE_LIMIT: usize = 10;

/// Arguments of `portcullis eval`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = EXAMPLES,
    // A server has its own policies, and answers by its own settings.
    mut_arg("url", |url| url.conflicts_with_all(OFFLINE)),
    mut_arg("cluster", |cluster| cluster.conflicts_with_all(OFFLINE))
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a command line: each can be with each"
)]
pub struct Arguments {
    /// The query: conditions, separated by semicolons or line breaks. With `--url` or `--cluster`, the
    /// address of a policy: `services/authorization@1.0`.
    #[arg(value_name = "QUERY")]
    pub query: Option<String>,

    /// File or directory of policies and data; `a.b:PATH` puts data below `data.a.b`. Can be
    /// repeated.
    #[arg(short, long, value_name = "PATH")]
    pub data: Vec<String>,

    /// Directory or `.tar.gz` that is a bundle. Can be repeated.
    #[arg(short, long = "bundle", value_name = "PATH")]
    pub bundles: Vec<String>,

    /// File of the input, JSON or YAML; `-` is standard input.
    #[arg(short, long, value_name = "FILE", conflicts_with = "stdin_input")]
    pub input: Option<String>,

    /// Read the input from standard input.
    #[arg(short = 'I', long, conflicts_with = "stdin")]
    pub stdin_input: bool,

    /// Read the query from standard input.
    #[arg(long)]
    pub stdin: bool,

    /// Package whose rules the query names without their path.
    #[arg(long, value_name = "PACKAGE")]
    pub package: Option<String>,

    /// Import of the query: `data.a.b`, `input.x as y`. Can be repeated.
    #[arg(long = "import", value_name = "PATH")]
    pub imports: Vec<String>,

    /// Pass over files and folders of this name: `*_test.rego`, `.*`. Can be repeated.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub ignore: Vec<String>,

    /// How the answer is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub format: Format,

    /// Longest text of a value in a table of `pretty`; 0 for any.
    #[arg(long, value_name = "CHARACTERS", default_value_t = 0)]
    pub pretty_limit: usize,

    /// Exit with 1 when the query has no solution.
    #[arg(long, conflicts_with = "fail_defined")]
    pub fail: bool,

    /// Exit with 1 when the query has a solution.
    #[arg(long)]
    pub fail_defined: bool,

    /// End at the first error of a builtin function, instead of taking it for undefined.
    #[arg(long)]
    pub strict_builtin_errors: bool,

    /// Tell the errors of builtin functions that are taken for undefined, beside the result.
    #[arg(long, conflicts_with = "strict_builtin_errors")]
    pub show_builtin_errors: bool,

    /// Refuse imports and variables that nobody uses.
    #[arg(short = 'S', long)]
    pub strict: bool,

    /// Longest time of the evaluation: `500ms`, `5s`; 0 for any. With `--url` or `--cluster`, of the
    /// whole question: 30 s where nothing else is said.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0")]
    pub timeout: Duration,

    /// Say what each condition costs.
    #[arg(long)]
    pub profile: bool,

    /// How many costs are shown; implies `--profile` [default: 10].
    #[arg(long, value_name = "COUNT")]
    pub profile_limit: Option<usize>,

    /// What costs are sorted by, the most first; implies `--profile`. Can be repeated.
    #[arg(long, value_name = "CRITERION", value_enum, value_delimiter = ',')]
    pub profile_sort: Vec<Criterion>,

    /// Say which lines are covered.
    #[arg(long)]
    pub coverage: bool,

    /// Say why rules hold or do not hold: all that were tried, those that do not hold, or those that
    /// note something with `trace`.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    pub explain: Explain,

    /// The language's version.
    #[command(flatten)]
    pub language: Language,

    /// With `--url` or `--cluster`, the namespace that owns the policy; without it, the cluster.
    #[arg(short, long, requires = ASKED, value_parser = parse_namespace, help_heading = "Server")]
    pub namespace: Option<String>,

    /// With `--url` or `--cluster`, a header that the policy can read: `X-Location: Berlin`. Can be
    /// repeated.
    #[arg(
        short = 'H',
        long = "header",
        value_name = "HEADER",
        requires = ASKED,
        value_parser = header,
        help_heading = "Server"
    )]
    pub headers: Vec<(HeaderName, HeaderValue)>,

    /// Ask the installation in the cluster that `kubectl` uses, `portcullis-system/portcullis` where none
    /// is named: one of its replicas, through the API server, with the kubeconfig's token. `--token-file`
    /// and `--ca` take the place of that token and of the authority that the installation has registered.
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "portcullis-system/portcullis",
        value_parser = parse_installation,
        group = ASKED,
        conflicts_with_all = ["url", "client_certificate", "client_key"],
        help_heading = "Server"
    )]
    pub cluster: Option<Installation>,

    /// The server.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// What a server is not told: policies and data of this machine, and how it is to evaluate.
const OFFLINE: [&str; 18] = [
    "data",
    "bundles",
    "stdin",
    "package",
    "imports",
    "ignore",
    "fail",
    "fail_defined",
    "strict_builtin_errors",
    "show_builtin_errors",
    "strict",
    "profile",
    "profile_limit",
    "profile_sort",
    "coverage",
    "explain",
    "v0_compatible",
    "v1_compatible",
];

/// Headers that are the client's own.
const OWN: [HeaderName; 8] = [
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Reads a header as curl takes it.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = || "a header is written like `X-Location: Berlin`".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
    let value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
    if name == AUTHORIZATION {
        return Err("a token has no place on a command line: use `--token-file`".to_owned());
    }
    if OWN.contains(&name) {
        return Err(format!("`{name}` is the client's own header"));
    }
    Ok((name, value))
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// All of it as one JSON object.
    #[default]
    Json,
    /// For people: a value, or a table.
    Pretty,
    /// For each solution a JSON array of the conditions' values.
    Values,
    /// For each solution a JSON object of the variables.
    Bindings,
    /// For scripts: the conditions' values in one line a solution, strings without quotes.
    Raw,
    /// JSON without the result.
    Discard,
}

/// What is explained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Explain {
    /// Nothing.
    #[default]
    Off,
    /// Every rule that was tried.
    Full,
    /// Rules that do not hold, and what asked for them.
    Fails,
    /// What `trace` noted, and the rules that led to it.
    Notes,
}

/// What costs are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Criterion {
    /// Time.
    TotalTimeNs,
    /// How often a condition was looked at.
    NumEval,
    /// How many further solutions it had.
    NumRedo,
    /// How many steps the compiler made of it.
    NumGenExpr,
    /// The name of its file.
    File,
    /// Its line.
    Line,
}

const EXAMPLES: &str = "\
Examples:
  portcullis eval 'x := 1; y := 2; x < y'
  portcullis eval -d policies/ -i input.json data.example.allow
  portcullis eval -b policies/ -i input.json -f pretty 'data.example.deny[message]'
  portcullis eval -d policies/ -i input.json --explain fails -f pretty data.example.allow
  portcullis eval -d data.json -f raw 'data.names[_]'
  kubectl get pod web -o json | portcullis eval -I -d policies/ --fail-defined 'data.example.deny[_]'
  portcullis eval --url http://127.0.0.1:8181 -i input.json -f pretty services/authorization@1.0
  portcullis eval --url https://policies.example.com:8181 --ca ca.crt --token-file token \\
      --namespace team-a -i - -H 'X-Location: Berlin' shop/discount@1.0
  kubectl portcullis eval --cluster -i input.json -f pretty services/authorization@1.0

With `--cluster`, one Pod of the webhook is asked through the API server, with your own token; a
kubeconfig that has a client certificate and no token needs `--token-file`. To ask takes the verb
`create` on `clusterpolicies/evaluation`, or on `policies/evaluation` in the policy's namespace
(ClusterRole portcullis-evaluator), and a way to the Pod (Role and ClusterRole
portcullis-decisions-client).

Exit status: 0, or 2 when the query cannot be answered; with `--fail` 1 when it has no solution,
with `--fail-defined` 1 when it has one. With `--url` or `--cluster`: 0 when the policy allows it, 1 when
it denies it, and 2 when that cannot be told: it is locked, broken or not there, or nobody can be asked.";

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rstest::rstest;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        eval: Arguments,
    }

    #[rstest]
    #[case(&["--namespace", "a"], "--url")]
    #[case(&["-H", "X-Location: Berlin"], "--url")]
    #[case(&["--ca", "a"], "--cluster")]
    #[case(&["--url", "http://a", "-d", "policies"], "cannot be used with")]
    #[case(&["--url", "http://a", "--explain", "full"], "cannot be used with")]
    #[case(&["--url", "http://a", "--v0-compatible"], "cannot be used with")]
    #[case(&["--url", "http://a", "-H", "X-Location"], "a header is written like")]
    #[case(&["--url", "http://a", "-H", "a b: c"], "a header is written like")]
    #[case(&["--url", "http://a", "-H", "Authorization: Bearer x"], "use `--token-file`")]
    #[case(&["--url", "http://a", "-H", "Host: b"], "is the client's own header")]
    #[case(&["--cluster", "--url", "http://a"], "cannot be used with")]
    #[case(&["--cluster=a/b", "-d", "policies"], "cannot be used with")]
    #[case(&["--cluster", "--explain", "full"], "cannot be used with")]
    #[case(&["--cluster", "--v0-compatible"], "cannot be used with")]
    #[case(&["--cluster", "--client-certificate", "a", "--client-key", "b"], "cannot be used with")]
    #[case(&["--cluster", "c/d@1.0"], "unexpected argument 'c/d@1.0'")]
    #[case(&["--cluster="], "an installation is written like")]
    #[case(&["--cluster=portcullis"], "an installation is written like")]
    #[case(&["--cluster=a/b/c"], "an installation is written like")]
    #[case(&["--cluster=a.b/c"], "an installation is written like")]
    fn what_cannot_be_is_told(#[case] options: &[&str], #[case] why: &str) {
        let line = ["eval", "a/b@1.0"].iter().chain(options);
        let told = Line::try_parse_from(line)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(told.contains(why), "{told}");
    }

    #[rstest]
    #[case("--cluster", "portcullis-system", "portcullis")]
    #[case("--cluster=gates/portcullis-test", "gates", "portcullis-test")]
    fn an_installation_is_asked_with_what_a_server_is(
        #[case] cluster: &str,
        #[case] namespace: &str,
        #[case] name: &str,
    ) {
        let options = [
            "--token-file",
            "token",
            "--ca",
            "ca.crt",
            "-n",
            "team-a",
            "-H",
            "X-Location: Berlin",
            "--timeout",
            "2s",
        ];
        let line = ["eval", cluster, "a/b@1.0"].into_iter().chain(options);
        let read = Line::try_parse_from(line).unwrap().eval;
        let found = read.cluster.unwrap();
        assert_eq!((&*found.namespace, &*found.name), (namespace, name));
        assert_eq!(read.query.as_deref(), Some("a/b@1.0"));
    }

    #[test]
    fn a_server_is_told_the_input_and_headers() {
        let line = [
            "eval",
            "--url",
            "http://a",
            "a/b@1.0",
            "-i",
            "-",
            "-f",
            "raw",
            "-H",
            "X-Location:  Berlin ",
            "--timeout",
            "2s",
            "-n",
            "team-a",
        ];
        let read = Line::try_parse_from(line).unwrap().eval;
        let (name, value) = &read.headers[0];
        assert_eq!(
            (name.as_str(), value.to_str().unwrap()),
            ("x-location", "Berlin")
        );
    }
}
