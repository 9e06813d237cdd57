//! The policies that judge: of directories and files, or of a cluster.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use portcullis_policies::{
    Allowance, Cache, Diagnostic, Diagnostics, Exemption, Object, Snapshot, State, Timestamp,
};
use portcullis_webhook::{Readiness, STACK_BYTES};

use crate::{
    cluster::{self, Extent, Mirror},
    commands::allowance::AllowanceArguments,
    convert::Draft,
    directory::{self, Foreign, Item, Loader, Tree, printable, problem_table, select_parameters},
    files::read_bounded,
    presentation,
};

/// How long a cluster is read, at most.
const READING: Duration = Duration::from_mins(1);

/// How often it is looked whether all of it is read.
const LOOK: Duration = Duration::from_millis(20);

/// Of directories and files, or where none is named of the cluster that `kubectl` uses.
pub(in crate::commands) fn read(
    paths: &[String],
    allowance: AllowanceArguments,
) -> anyhow::Result<Arc<Cache>> {
    if paths.is_empty() {
        of_the_cluster(allowance)
    } else {
        of_files(paths, allowance)
    }
}

/// Of directories and files.
fn of_files(paths: &[String], allowance: AllowanceArguments) -> anyhow::Result<Arc<Cache>> {
    // It is where the hosts that are allowed would be asked from.
    let runtime = tokio::runtime::Runtime::new()?;
    let cache = runtime.block_on(async { allowance.cache() });
    thread::scope(|scope| {
        // The compiler follows a policy's nesting, as an evaluation does.
        let builder = thread::Builder::new().stack_size(STACK_BYTES);
        let reading = builder.spawn_scoped(scope, || read_files(paths, &cache))?;
        reading
            .join()
            .map_err(|_| anyhow::anyhow!("the thread that reads the policies ended unexpectedly"))?
    })?;
    Ok(cache)
}

fn read_files(paths: &[String], cache: &Cache) -> anyhow::Result<()> {
    let mut foreign = Vec::new();
    for path in paths {
        let place = Path::new(path);
        foreign.extend(if place.is_dir() {
            directory(place, cache)?
        } else {
            file(place, cache)?
        });
    }
    parametrise(cache, &foreign);
    link(cache);
    cache.update(|state| state.supersede(Timestamp::now()));
    tell_broken(&cache.snapshot())?;
    tell_too_long(cache)?;
    ensure!(
        cache.snapshot().entries().next().is_some(),
        "there is no policy in {}",
        paths.join(", ")
    );
    Ok(())
}

/// Tells the cache what its bindings take parameters of, and its policies data.
fn parametrise(cache: &Cache, foreign: &[Foreign]) {
    let snapshot = cache.snapshot();
    let selections = snapshot.selections().into_keys();
    let selected = select_parameters(selections, foreign.iter());
    cache.update(|state| {
        for (selection, selected) in selected {
            state.set_parameters(selection, selected);
        }
    });
}

/// Reads a directory, and tells what of other APIs is in it.
fn directory(path: &Path, cache: &Cache) -> anyhow::Result<Vec<Foreign>> {
    let tree = Tree::Disk {
        root: path.to_owned(),
        except: None,
    };
    let loader = Loader::start(tree, cache.allowance(), &|_, _| {})
        .with_context(|| format!("the policies in `{}` cannot be read", path.display()))?;
    cache.update(|state| loader.add_to(state));
    // What is broken is told for all policies together.
    let status = loader.status();
    let apart = |problem: &&directory::Problem| {
        use directory::Meanwhile::{NotExempt, Nothing};
        matches!(problem.meanwhile, Nothing | NotExempt)
    };
    let problems: Vec<_> = status.problems.iter().filter(apart).cloned().collect();
    if !problems.is_empty() {
        write!(io::stderr(), "{}", problem_table(&problems))?;
    }
    Ok(loader.foreign().cloned().collect())
}

/// Reads a file, and tells what of other APIs is in it.
fn file(path: &Path, cache: &Cache) -> anyhow::Result<Vec<Foreign>> {
    let shown = path.display().to_string();
    let bytes = read_bounded(path).with_context(|| format!("`{shown}` cannot be read"))?;
    let text = String::from_utf8(bytes).with_context(|| format!("`{shown}` is not UTF-8"))?;
    let reading = directory::read_manifests(&shown, &text);
    if !reading.lost.is_empty() {
        bail!("{}", presentation::faults(&reading.lost));
    }
    let faults = reading.items.iter().filter_map(|item| match item {
        Item::Exemption(draft) => draft.faults.as_ref(),
        _ => None,
    });
    let faults: Vec<Diagnostic> = faults.flat_map(Diagnostics::iter).cloned().collect();
    tell(&faults)?;
    let allowance = cache.allowance();
    cache.update(|state| {
        for item in reading.items {
            put(item, state, &allowance);
        }
    });
    Ok(reading.foreign)
}

fn put(item: Item, state: &mut State, allowance: &Allowance) {
    match item {
        // What it imports may not have been read yet.
        Item::Policy(draft) => state.apply_policy(draft.compile(&(), allowance.clone())),
        Item::Binding(draft) => state.apply_binding(Arc::new(draft.compile())),
        Item::Lock(draft) => {
            if let Some(lock) = draft.lock {
                state.apply_lock(lock);
            }
        }
        Item::Exemption(draft) => {
            if let Some(exemption) = draft.exemption {
                state.apply_exemption(exemption);
            }
        }
        Item::Namespace(key, labels) => state.apply_namespace(&key.name, labels),
    }
}

/// Compiles what imports policies of another path, until all have what they import.
fn link(cache: &Cache) {
    loop {
        let outdated = cache.outdated();
        if outdated.is_empty() {
            return;
        }
        let snapshot = cache.snapshot();
        let compile = |object: &Object| Draft::of(object).compile(&*snapshot, cache.allowance());
        let compiled: Vec<Object> = outdated.iter().map(compile).collect();
        cache.update(|state| {
            for object in compiled {
                state.apply_policy(object);
            }
        });
    }
}

/// A broken policy refuses what it would judge, so whoever is refused wants to know why.
fn tell_broken(snapshot: &Snapshot) -> io::Result<()> {
    let entries = snapshot.entries();
    let faults = entries.filter_map(|entry| entry.policy.faults());
    let bindings = snapshot.bindings().filter_map(|it| it.faults());
    let faults = faults.chain(bindings);
    let faults: Vec<Diagnostic> = faults.flat_map(Diagnostics::iter).cloned().collect();
    tell(&faults)
}

/// An exemption that is too long exempts nothing.
fn tell_too_long(cache: &Cache) -> io::Result<()> {
    let (now, longest) = (Timestamp::now(), cache.allowance().longest_exemption);
    let snapshot = cache.snapshot();
    let fault = |exemption: &Arc<Exemption>| {
        let mut fault = exemption.excess(now, longest)?;
        fault.message = format!("{}: {}", exemption.key(), fault.message);
        Some(fault)
    };
    let faults: Vec<Diagnostic> = snapshot.exemptions().iter().filter_map(fault).collect();
    tell(&faults)
}

fn tell(faults: &[Diagnostic]) -> io::Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    write!(io::stderr(), "{}", presentation::faults(faults))
}

/// Of the cluster that `kubectl` uses.
fn of_the_cluster(allowance: AllowanceArguments) -> anyhow::Result<Arc<Cache>> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let reading = tokio::time::timeout(READING, of_a_cluster(allowance)).await;
        reading.with_context(|| {
            format!(
                "the cluster could not be read within {} s",
                READING.as_secs()
            )
        })?
    })
}

async fn of_a_cluster(allowance: AllowanceArguments) -> anyhow::Result<Arc<Cache>> {
    let (config, client) = cluster::connect()
        .await
        .context("there is no cluster whose policies could judge: name policies with `-p`")?;
    if io::stderr().is_terminal() {
        let told = printable(&format!("reading the policies of {}", config.cluster_url));
        write!(io::stderr(), "{told}")?;
    }
    let cache = allowance.cache();
    let readiness = Readiness::new(cluster::SOURCES);
    let mirror = Mirror::new(cache.clone(), readiness.clone());
    let follow = cluster::follow(client, mirror, Extent::Cluster);
    let read = async {
        while !readiness.is_synced() || !cache.outdated().is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = read => Ok(cache.clone()),
        () = follow => bail!("the cluster is not followed any more"),
    }
}
