//! Jobs that wait on channels stand for policies that take their time.

use super::*;
use std::{sync::mpsc, time::Duration};

fn soon() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn push(
    evaluators: &Evaluators,
    lane: impl Into<Lane>,
    job: impl FnOnce() + Send + 'static,
) -> Result<(), Unanswered> {
    let job = Job {
        deadline: soon(),
        subject: Arc::new(|| "a/b@1".to_owned()),
        work: Box::new(job),
    };
    evaluators.0.shared.push(&lane.into(), job)
}

/// Jobs that hold their thread until the returned sender is dropped.
fn hold(evaluators: &Evaluators, lane: impl Into<Lane>, count: usize) -> mpsc::SyncSender<()> {
    let (sender, receiver) = mpsc::sync_channel::<()>(0);
    let receiver = Arc::new(Mutex::new(receiver));
    let lane = lane.into();
    for _ in 0..count {
        let receiver = receiver.clone();
        let job = move || drop(receiver.lock().map(|receiver| receiver.recv()));
        push(evaluators, lane.clone(), job).unwrap();
    }
    sender
}

#[tokio::test]
async fn answers() {
    assert_eq!(Evaluators::new(2).run(soon(), || 6 * 7).await, Ok(42));
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_thread_goes_on() {
    let evaluators = Evaluators::new(2);
    for _ in 0..10 {
        let answer = evaluators
            .run(soon(), || -> () { panic!("a policy's fault") })
            .await;
        assert_eq!(answer, Err(Unanswered::Failed));
    }
    assert_eq!(evaluators.run(soon(), || 1).await, Ok(1));
}

#[tokio::test]
async fn who_would_wait_beyond_the_deadline_is_told() {
    let evaluators = Evaluators::new(2);
    let held = hold(&evaluators, Point::Admission, 2);
    assert_eq!(
        evaluators.run(Instant::now(), || 1).await,
        Err(Unanswered::Late)
    );
    drop(held);
}

/// A thread that drops a late job may be noticed before the timer is.
#[tokio::test]
async fn a_late_job_that_is_dropped_is_late() {
    let evaluators = Evaluators::new(2);
    let held = hold(&evaluators, Point::Admission, 2);
    let deadline = Instant::now() + Duration::from_millis(5);
    let (kept, dropped) = mpsc::channel::<()>();
    let answer = evaluators.run(deadline, move || drop(kept));
    let passing = async {
        // Nobody looks at the timer meanwhile.
        while Instant::now() < deadline {
            std::hint::spin_loop();
        }
        drop(held);
        assert_eq!(dropped.recv(), Err(mpsc::RecvError));
    };
    assert_eq!(tokio::join!(answer, passing).0, Err(Unanswered::Late));
}

#[tokio::test]
async fn an_abandoned_job_is_not_begun() {
    let evaluators = Evaluators::new(2);
    let held = hold(&evaluators, Point::Evaluation, 1);
    let (begun, was_begun) = mpsc::channel();
    let late = evaluators.run(Instant::now(), move || begun.send(())).await;
    assert_eq!(late.map(|_| ()), Err(Unanswered::Late));
    drop(held);
    evaluators.run(soon(), || ()).await.unwrap();
    assert_eq!(was_begun.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

#[tokio::test]
async fn full_queue_refuses_and_leaves_room_for_the_api_server() {
    let evaluators = Evaluators::new(2);
    let held = hold(&evaluators, Point::Evaluation, 2 * WAITING_PER_THREAD);
    // One of them may have been taken by a thread.
    while push(&evaluators, Point::Evaluation, || ()).is_ok() {}
    assert_eq!(
        evaluators.run(soon(), || 1).await,
        Err(Unanswered::Overloaded)
    );
    assert_eq!(
        evaluators.run_at(Point::Admission, soon(), || 1).await,
        Ok(1)
    );
    drop(held);
}

/// Takes jobs one after the other, at a pace of a second; the threads are held meanwhile.
fn at_a_pace_of_a_second(evaluators: &Evaluators, point: Point) {
    let mut queue = evaluators.0.shared.lock();
    let line = match point {
        Point::Admission => &mut queue.admissions,
        Point::Evaluation => &mut queue.evaluations,
    };
    let now = Instant::now();
    for second in 0..100 {
        line.pace.note(now + Duration::from_secs(second), true);
    }
    line.pace.note(now + Duration::from_secs(100), false);
}

#[tokio::test]
async fn the_queue_is_no_longer_than_what_can_be_served_in_time() {
    for point in [Point::Admission, Point::Evaluation] {
        let evaluators = Evaluators::new(2);
        let held = stick_all(&evaluators, point).await;
        at_a_pace_of_a_second(&evaluators, point);
        // A minute is enough for thirty, as half of it is for the job itself.
        let mut waiting = 0;
        while push(&evaluators, point, || ()).is_ok() {
            waiting += 1;
        }
        assert!((28..=31).contains(&waiting), "{waiting}");
        // A few may wait in any case, so that the pace is known.
        let evaluators = Evaluators::new(2);
        let also_held = stick_all(&evaluators, point).await;
        at_a_pace_of_a_second(&evaluators, point);
        let deadline = Instant::now() + Duration::from_secs(1);
        let jobs = (0..20).map(|_| evaluators.run_at(point, deadline, || ()));
        let answers = futures::future::join_all(jobs).await;
        let of = |why| answers.iter().filter(|one| **one == Err(why)).count();
        assert_eq!(of(Unanswered::Late) + of(Unanswered::Overloaded), 20);
        let always = ALWAYS_WAITING_PER_THREAD * 2;
        assert!(
            (always - 2..=always).contains(&of(Unanswered::Late)),
            "{answers:?}"
        );
        drop((held, also_held));
    }
}

#[tokio::test]
async fn stacks_are_deep() {
    fn depth(left: u32) -> u32 {
        let padding = std::hint::black_box([left; 256]);
        if left == 0 {
            0
        } else {
            depth(left - 1) + u32::from(padding[0] == left)
        }
    }
    assert_eq!(
        Evaluators::new(2).run(soon(), || depth(20_000)).await,
        Ok(20_000)
    );
}

/// Holds every thread that takes jobs of this point: of two, one is left to the API server. Each has
/// begun, for to take one is a pace, too.
async fn stick_all(evaluators: &Evaluators, point: Point) -> Vec<mpsc::SyncSender<()>> {
    let threads = match point {
        Point::Admission => 2,
        Point::Evaluation => 1,
    };
    let mut held = Vec::new();
    for _ in 0..threads {
        held.push(stick(evaluators, point).await);
    }
    held
}

/// A job that tells when it begins, and holds its thread until the returned sender is dropped.
async fn stick(evaluators: &Evaluators, point: Point) -> mpsc::SyncSender<()> {
    let (begun, begins) = oneshot::channel();
    let (sender, receiver) = mpsc::sync_channel::<()>(0);
    let job = move || {
        let _ = begun.send(());
        let _ = receiver.recv();
    };
    push(evaluators, point, job).unwrap();
    begins.await.unwrap();
    sender
}

#[tokio::test]
async fn a_thread_that_does_not_come_back_is_replaced() {
    let evaluators = Evaluators::new(2);
    let mut held = Vec::new();
    let (late, lost) = (soon() + 2 * roll::GRACE, soon() + 2 * roll::LOST);
    let later = soon() + 5 * roll::LOST;
    for stuck in 1..=2 {
        held.push(stick(&evaluators, Point::Evaluation).await);
        let health = evaluators.health(late);
        assert_eq!((health.stuck, health.lost), (stuck, false));
        assert_eq!(health.exhausted.is_some(), stuck == 2);
        for point in [Point::Admission, Point::Evaluation] {
            assert_eq!(evaluators.run_at(point, later, || 1).await, Ok(1));
        }
    }
    let health = evaluators.health(lost);
    let told = "evaluator threads are stuck in a/b@1; the process must be restarted";
    assert_eq!(health.exhausted.as_deref(), Some(told));
    assert!(health.lost);

    // The third is not replaced, and the one that is left is left to admission.
    held.push(stick(&evaluators, Point::Evaluation).await);
    assert_eq!(evaluators.health(lost).stuck, 3);
    let evaluated = evaluators.run(Instant::now(), || 1).await;
    assert_eq!(evaluated, Err(Unanswered::Late));
    assert_eq!(
        evaluators.run_at(Point::Admission, later, || 1).await,
        Ok(1)
    );

    // They come back, and those that are not needed end.
    drop(held);
    let came_back = || {
        let queue = evaluators.0.shared.lock();
        queue.roll.present() == 2 && queue.roll.subjects().is_empty()
    };
    while !came_back() {
        std::thread::yield_now();
    }
    assert_eq!(evaluators.run(later, || 1).await, Ok(1));
    let health = evaluators.health(Instant::now());
    assert_eq!(
        (health.stuck, health.exhausted, health.lost),
        (0, None, false)
    );
}

fn tenant(name: &str) -> Lane {
    Lane::Tenant(name.into())
}

/// Waits until no job waits any more.
async fn begun(evaluators: &Evaluators) {
    while evaluators.waiting() > 0 {
        tokio::task::yield_now().await;
    }
}

/// Runs a job of a lane, and waits for it.
async fn run(evaluators: &Evaluators, lane: Lane) -> Result<u8, Unanswered> {
    evaluators.run_about(lane, soon(), String::new, || 1).await
}

/// One namespace holds its share of the threads and all that may wait: others, the cluster and
/// evaluations go on.
#[tokio::test]
async fn a_tenant_keeps_nobody_waiting_but_itself() {
    let evaluators = Evaluators::new(4);
    // One runs, and four may always wait.
    let held = hold(&evaluators, tenant("slow"), 1);
    begun(&evaluators).await;
    let waiting = hold(&evaluators, tenant("slow"), 4);
    for _ in 0..100 {
        assert_eq!(run(&evaluators, tenant("other")).await, Ok(1));
        assert_eq!(run(&evaluators, Lane::Admission).await, Ok(1));
        assert_eq!(run(&evaluators, Lane::Evaluation).await, Ok(1));
    }
    assert_eq!(evaluators.waiting(), 4, "none of the slow one's was begun");
    drop((held, waiting));
    assert_eq!(run(&evaluators, tenant("slow")).await, Ok(1));
}

/// Two hold their threads, and a third namespace has one.
#[tokio::test]
async fn tenants_leave_threads_to_each_other() {
    let evaluators = Evaluators::new(4);
    let held = ["a", "b"].map(|name| hold(&evaluators, tenant(name), 3));
    for _ in 0..100 {
        assert_eq!(run(&evaluators, tenant("c")).await, Ok(1));
    }
    drop(held);
}

/// Namespaces take turns, whoever has more to do.
#[tokio::test]
async fn tenants_take_turns() {
    let evaluators = Evaluators::new(2);
    let held = hold(&evaluators, Lane::Evaluation, 1);
    begun(&evaluators).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    for name in ["a", "a", "a", "b", "c", "b"] {
        let order = order.clone();
        let job = move || order.lock().unwrap().push(name);
        push(&evaluators, tenant(name), job).unwrap();
    }
    drop(held);
    while order.lock().unwrap().len() < 6 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*order.lock().unwrap(), ["a", "b", "c", "a", "b", "a"]);
}

/// What waits is bounded over all namespaces.
#[tokio::test]
async fn the_lines_of_all_tenants_are_bounded() {
    let evaluators = Evaluators::new(2);
    let held = hold(&evaluators, Lane::Evaluation, 1);
    begun(&evaluators).await;
    let mut refused = 0;
    for number in 0..600 {
        let lane = tenant(&format!("n{number}"));
        refused += usize::from(push(&evaluators, lane, || {}).is_err());
    }
    assert_eq!(refused, 600 - 2 * WAITING_PER_THREAD);
    drop(held);
}
