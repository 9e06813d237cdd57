//! Asks one `portcullis serve` for more than it can serve, and keeps it waiting in other ways, and
//! says what became of it: `overload [--seconds N] [--times N] [--connections N] [--cost MS]
//! [--plot FILE]`.
//!
//! Ends with 1 where an answer is wrong or missing, a probe or an admission is not answered, the
//! server ends, or its memory grows.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use portcullis_e2e::{
    local::Local,
    overload::{
        Load, Second, Seconds, crowd::Crowd, plot::plot, policy, second::percentile, witness,
    },
};
use tempfile::TempDir;

/// Callers that are enough to keep every thread busy, and few enough that nobody is refused.
const FEW: u32 = 8;

/// Callers of the overload: some of them wait for a thread, the others are refused at once.
const MANY: u32 = 250;

/// How long it is measured what can be served.
const MEASURING: Duration = Duration::from_secs(10);

/// How long each crowd stays.
const CROWDED: Duration = Duration::from_secs(10);

/// What the server may take more than at first: the bodies and the queue, which are bounded.
const MORE_MEMORY: u64 = 192 << 20;

#[derive(Debug)]
struct Arguments {
    seconds: u64,
    times: f64,
    connections: usize,
    /// Milliseconds that a decision takes a thread.
    cost: f64,
    plot: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = arguments()?;
    let directory = TempDir::new()?;
    policy::write(&directory.path().join("served"))?;
    let server = Local::serve_directory(directory).await?;
    let mut faults = Vec::new();
    overload(&server, &arguments, &mut faults).await?;
    crowds(&server, arguments.connections, &mut faults).await?;
    for fault in &faults {
        writeln!(io::stdout(), "✗ {fault}")?;
    }
    Ok(ExitCode::from(u8::from(!faults.is_empty())))
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments {
        seconds: 300,
        times: 20.0,
        connections: 10_000,
        cost: 20.0,
        plot: None,
    };
    let mut given = std::env::args().skip(1);
    while let Some(option) = given.next() {
        let value = given
            .next()
            .with_context(|| format!("{option} and what?"))?;
        match option.as_str() {
            "--seconds" => arguments.seconds = value.parse()?,
            "--times" => arguments.times = value.parse()?,
            "--connections" => arguments.connections = value.parse()?,
            "--cost" => arguments.cost = value.parse()?,
            "--plot" => arguments.plot = Some(value.into()),
            _ => bail!("there is no option `{option}`"),
        }
    }
    Ok(arguments)
}

async fn overload(server: &Local, arguments: &Arguments, faults: &mut Vec<String>) -> Result<()> {
    let work = policy::calibrate(server.address(), arguments.cost).await?;
    let load = |callers, rate| Load {
        address: server.address().to_owned(),
        work,
        callers,
        rate,
    };
    let measured = under(server, &load(FEW, None), MEASURING, "can be served", faults).await?;
    let peak = per_second(&measured, |second| second.served);
    let rate = peak * arguments.times;
    let time = Duration::from_secs(arguments.seconds);
    let what = format!("{:.0} times as much", arguments.times);
    let overloaded = under(server, &load(MANY, Some(rate)), time, &what, faults).await?;
    writeln!(
        io::stdout(),
        "throughput under overload: {:.0} % of the peak; offered {:.1} times the peak",
        100.0 * per_second(&overloaded, |second| second.served) / peak,
        per_second(&overloaded, |second| second.offered) / peak,
    )?;
    if let Some(file) = &arguments.plot {
        let title = format!("{:.0} times the load that can be served", arguments.times);
        std::fs::write(file, plot(&title, &overloaded))?;
    }
    let resident = |seconds: &[Second]| seconds.iter().map(|second| second.resident).max();
    let (before, after) = (resident(&measured), resident(&overloaded));
    if after > before.map(|before| before + MORE_MEMORY) {
        faults.push(format!(
            "the memory grew from {before:?} to {after:?} bytes"
        ));
    }
    Ok(())
}

/// Lets a load be, and says what became of it. The last second, which is not a whole one, is left
/// out.
async fn under(
    server: &Local,
    load: &Load,
    time: Duration,
    what: &str,
    faults: &mut Vec<String>,
) -> Result<Vec<Second>> {
    let process = server.process().context("the server has ended")?;
    let seconds = Seconds::new();
    tokio::select! {
        () = load.run(time, &seconds) => {}
        () = witness::watch(server.address(), server.admin(), process, &seconds) => {}
    }
    let mut seconds = seconds.take();
    let whole = usize::try_from(time.as_secs())?;
    let sum = Second::sum(&seconds);
    report(what, &sum, whole, faults)?;
    ensure!(sum.served > 0, "nothing was served");
    seconds.truncate(whole);
    Ok(seconds)
}

async fn crowds(server: &Local, most: usize, faults: &mut Vec<String>) -> Result<()> {
    let process = server.process().context("the server has ended")?;
    let alone = Seconds::new();
    tokio::select! {
        () = tokio::time::sleep(CROWDED) => {}
        () = witness::watch(server.address(), server.admin(), process, &alone) => {}
    }
    let whole = usize::try_from(CROWDED.as_secs())?;
    report("nobody else", &Second::sum(&alone.take()), whole, faults)?;
    for crowd in Crowd::ALL {
        let (seconds, size) = (Seconds::new(), crowd.size(most));
        tokio::select! {
            () = crowd.come(server.address(), size, CROWDED) => {}
            () = witness::watch(server.address(), server.admin(), process, &seconds) => {}
        }
        let what = format!("{size} {}", crowd.name());
        report(&what, &Second::sum(&seconds.take()), whole, faults)?;
    }
    Ok(())
}

/// One line for people, and what is not as it should be.
fn report(what: &str, sum: &Second, seconds: usize, faults: &mut Vec<String>) -> Result<()> {
    let rate = |count: usize| count / seconds.max(1);
    writeln!(
        io::stdout(),
        "{what:28}  offered {:>6}/s  served {:>6}/s  refused {:>6}/s  p99 ms: decisions {:>7.1}  \
         refusals {:>7.1}  admissions {:>6.1} of {:>4}  probes {:>6.1} of {:>4}  memory {:>4} MiB",
        rate(sum.offered),
        rate(sum.served),
        rate(sum.refused),
        percentile(&sum.decisions, 99),
        percentile(&sum.refusals, 99),
        percentile(&sum.admissions, 99),
        sum.admissions.len(),
        percentile(&sum.probes, 99),
        sum.probes.len(),
        sum.resident >> 20,
    )?;
    for (count, fault) in [
        (sum.wrong, "wrong decisions"),
        (sum.failed, "requests without an answer"),
        (sum.unwell, "probes or admissions that were not answered"),
    ] {
        if count > 0 {
            faults.push(format!("{what}: {count} {fault}"));
        }
    }
    Ok(())
}

/// The average of a second.
#[expect(clippy::cast_precision_loss, reason = "some hundred thousand requests")]
fn per_second(seconds: &[Second], count: impl Fn(&Second) -> usize) -> f64 {
    let sum: usize = seconds.iter().map(count).sum();
    sum as f64 / seconds.len().max(1) as f64
}
