//! Compares what we make of policies with what OPA makes of them.
//!
//! ```text
//! grammar (new policies) ─┐            ┌─ ours ───┐
//!                         ├─▶ Case ────┤          ├─▶ compare ─▶ minimise ─▶ a file, and the count
//! mutate (OPA's suites) ──┘            └─ oracle ─┘
//! ```
//!
//! ```text
//! differential --oracle PROGRAM [--suites DIRECTORY] [--seed N] [--seconds S | --cases N]
//!              [--first N] [--output DIRECTORY] [--most N] [--codes yes] [--only PREFIX,…]
//! differential --oracle PROGRAM --replay FILE
//! ```
//!
//! The same seed gives the same cases. A case that is told by number is run alone by
//! `--first NUMBER --cases 1`. Results are compared as exact values, sets and arrays told apart;
//! errors by their codes: but where a policy has several faults, which of them are found is a matter
//! of OPA's stages, and counts as a difference with `--codes` only. What we refuse on purpose is
//! counted and no difference. A rule with two values is an error for whoever comes across it: where
//! we do, and OPA, which may leave the rule out, does so only when all of the policy is evaluated,
//! that is counted too. It fails if there is a difference, and stops after `--most` of them. With
//! `--only` there are calls of the functions whose names begin so, and nothing else.

mod case;
mod grammar;
mod minimise;
mod mutate;
mod options;
mod oracle;
mod ours;
mod random;
mod replay;
mod tokens;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use case::{Answer, Case, Comparison, Difference, Verdict};
use mutate::Corpus;
use options::Options;
use oracle::Oracle;
use random::Random;

/// Cases that OPA works at while we work at the same.
const BATCH: u64 = 32;

/// Between two lines that say how far it is.
const PROGRESS: Duration = Duration::from_secs(30);

/// Evaluator threads have stacks of this size.
const STACK: usize = 64 << 20;

fn main() -> Result<ExitCode> {
    let options = Options::read(std::env::args().skip(1))?;
    let worker = std::thread::Builder::new().stack_size(STACK);
    let run = worker.spawn(move || run(&options))?;
    run.join()
        .map_err(|_| anyhow::anyhow!("the fuzzer panicked"))?
}

#[derive(Debug, Default)]
struct Counts {
    policies: usize,
    inputs: usize,
    refused_policies: usize,
    results: usize,
    errors: usize,
    other_codes: usize,
    spared: usize,
    wider: usize,
    strict: usize,
    written: usize,
    unsteady: usize,
    refused: usize,
    unanswered: usize,
    differences: usize,
    reasons: BTreeMap<String, usize>,
}

fn run(options: &Options) -> Result<ExitCode> {
    let corpus = options.suites.as_deref().map(Corpus::load).transpose()?;
    let mut oracle = Oracle::start(&options.oracle)?;
    if let Some(path) = &options.replay {
        say(&replay::replay(
            &mut oracle,
            &std::fs::read_to_string(path)?,
        )?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut counts = Counts::default();
    let started = Instant::now();
    let mut told = started;
    let mut next = options.first;
    // A panic of ours is a difference and is told as one.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let is_own = |place: &std::panic::Location<'_>| place.file().contains("differential");
        if info.location().is_none_or(is_own) {
            hook(info);
        }
    }));
    while options.goes_on(next, started.elapsed()) && counts.differences < options.most {
        let end = options.end(next + BATCH);
        let cases: Vec<Case> = (next..end)
            .map(|number| make(corpus.as_ref(), options, number))
            .collect();
        oracle.ask(&cases)?;
        let ours: Vec<Verdict> = cases.iter().map(ours::verdict).collect();
        let theirs = oracle.answers(&cases)?;
        for (at, case) in cases.into_iter().enumerate() {
            let number = next + at as u64;
            counts.policies += 1;
            counts.inputs += case.inputs.len();
            if let Some(difference) = counts.add(&case, &ours[at], &theirs[at], options.codes) {
                if contradicts_itself(&mut oracle, &case, &difference)? {
                    counts.spared += 1;
                    continue;
                }
                // What OPA says of types depends on what it has compiled before, in places.
                let theirs = oracle.afresh(&case)?;
                if is_equal(&case, &ours[at], &theirs) {
                    counts.unsteady += 1;
                    continue;
                }
                counts.differences += 1;
                let (case, difference) = minimise::minimise(&mut oracle, case, difference)?;
                tell(options, number, &case, &difference)?;
            }
        }
        next = end;
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            say(&format!(
                "{} s, {}",
                started.elapsed().as_secs(),
                counts.line()
            ))?;
        }
    }
    say(&format!(
        "seed {}, {} s: {}",
        options.seed,
        started.elapsed().as_secs(),
        counts.line()
    ))?;
    let mut reasons: Vec<_> = counts.reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, count) in reasons.iter().take(20) {
        say(&format!("{count:>7} refused: {reason}"))?;
    }
    Ok(if counts.differences == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whether we have an error that OPA has too, where all of the policy is evaluated. We meet a
/// contradiction, and OPA, for what it was asked, does not.
fn contradicts_itself(oracle: &mut Oracle, case: &Case, difference: &Difference) -> Result<bool> {
    let Some([_, input]) = difference.place else {
        return Ok(false);
    };
    let conflict = "eval_conflict_error";
    if difference.kinds[0] != conflict {
        return Ok(false);
    }
    let mut whole = case.clone();
    whole.queries = vec!["whole = data".to_owned()];
    whole.inputs = case.inputs.get(input).cloned().into_iter().collect();
    oracle.ask(std::slice::from_ref(&whole))?;
    let verdicts = oracle.answers(std::slice::from_ref(&whole))?;
    Ok(match verdicts.first() {
        Some(Verdict::Answers(rows)) => rows.iter().flatten().any(|answer| match answer {
            Answer::Error(code, _) | Answer::Spared(_, code) => code == conflict,
            _ => false,
        }),
        _ => false,
    })
}

fn is_equal(case: &Case, ours: &Verdict, theirs: &Verdict) -> bool {
    let mut comparisons = case::compare(case, ours, theirs).into_iter();
    !comparisons.any(|one| matches!(one, Comparison::Different(_)))
}

fn make(corpus: Option<&Corpus>, options: &Options, number: u64) -> Case {
    let mut random = Random::of_case(options.seed, number);
    if !options.only.is_empty() {
        return grammar::case_of_calls(&mut random, &options.only);
    }
    match corpus {
        Some(corpus) if random.percent(40) => corpus.mutated(&mut random),
        _ => grammar::case(&mut random),
    }
}

impl Counts {
    /// Counts what came of a case, and returns the first difference.
    fn add(
        &mut self,
        case: &Case,
        ours: &Verdict,
        theirs: &Verdict,
        with_codes: bool,
    ) -> Option<Difference> {
        if let Verdict::Refused(reason) = ours {
            self.refused_policies += 1;
            *self.reasons.entry(reason.clone()).or_default() += 1;
        }
        if let Verdict::Answers(rows) = ours {
            for answer in rows.iter().flatten() {
                if let Answer::Refused(reason) = answer {
                    *self.reasons.entry(reason.clone()).or_default() += 1;
                }
            }
        }
        let mut first = None;
        for comparison in case::compare(case, ours, theirs) {
            match comparison {
                Comparison::EqualResult => self.results += 1,
                Comparison::EqualError => self.errors += 1,
                Comparison::OtherCodes(difference) if with_codes => {
                    first.get_or_insert(difference);
                }
                Comparison::OtherCodes(_) => self.other_codes += 1,
                Comparison::Wider => self.wider += 1,
                Comparison::Strict => self.strict += 1,
                Comparison::Written => self.written += 1,
                Comparison::Spared => self.spared += 1,
                Comparison::Refused => self.refused += 1,
                Comparison::Unanswered => self.unanswered += 1,
                Comparison::Different(difference) => {
                    first.get_or_insert(difference);
                }
            }
        }
        first
    }

    fn line(&self) -> String {
        let Self {
            policies,
            inputs,
            refused_policies,
            results,
            errors,
            other_codes,
            spared,
            wider,
            strict,
            written,
            unsteady,
            refused,
            unanswered,
            differences,
            reasons: _,
        } = self;
        format!(
            "{policies} policies, {inputs} inputs: {results} equal results, {errors} equal errors, \
             {other_codes} refused with other codes, {wider} with other types under `with`, {strict} strict errors on one \
             side, {written} with numbers as they were written, {unsteady} on which OPA differs from itself, \
             {spared} contradictions that OPA does not meet, \
             {refused} refused by us ({refused_policies} of them whole policies), \
             {unanswered} unanswered by OPA, {differences} different"
        )
    }
}

fn tell(options: &Options, number: u64, case: &Case, difference: &Difference) -> Result<()> {
    let text = format!(
        "=== seed {}, case {number}\n{}# ours: {}\n# OPA:  {}\n",
        options.seed,
        case.show(),
        difference.shown[0].replace('\n', "\n#       "),
        difference.shown[1].replace('\n', "\n#       "),
    );
    say(&text)?;
    if let Some(directory) = &options.output {
        std::fs::create_dir_all(directory)?;
        let path = directory.join(format!("{}-{number}.txt", options.seed));
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn say(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}
