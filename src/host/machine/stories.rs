//! Short stories of one service, each step by step, in the world of the model.

use super::model::{World, policy};
use super::*;
use crate::report;
use crate::service::{Kind, RestartLimit, RestartPolicy};

fn crash(world: &mut World) {
    world.exit(Ended::Code(1));
    while !world.owed.is_empty() {
        world.settle_one(0);
    }
}

fn wait_out(world: &mut World) {
    world.now = world.state.deadline.expect("a deadline");
    world.give(Event::Deadline);
    world.settle_one(0);
}

#[test]
fn delays_grow_to_the_longest_and_start_again_after_a_long_run() {
    let mut world = World::new(policy());
    world.give(Event::Start);
    world.settle_one(0);
    let mut delays = Vec::new();
    for _ in 0..8 {
        crash(&mut world);
        delays.push(world.state.deadline.expect("backoff").saturating_sub(world.now).as_millis());
        wait_out(&mut world);
    }
    // Half of a jitter of 0.1 on top of each.
    assert_eq!(delays, [1050, 2100, 4200, 8400, 16800, 33600, 63000, 63000]);
    world.now += Duration::from_secs(600);
    crash(&mut world);
    assert_eq!(world.state.deadline.expect("backoff").saturating_sub(world.now).as_millis(), 1050);
}

#[test]
fn more_restarts_than_the_limit_is_giving_up_with_a_reason() {
    let mut world = World::new(policy());
    world.policy.restart.limit = Some(RestartLimit { count: 2, within: Duration::from_secs(60) });
    world.give(Event::Start);
    world.settle_one(0);
    for _ in 0..2 {
        crash(&mut world);
        wait_out(&mut world);
    }
    crash(&mut world);
    assert_eq!(world.state.current, Current::GaveUp);
    assert_eq!(world.state.reason.as_deref(), Some("restarted 2 times within 1m; the last run exited with code 1"));
    world.give(Event::Start);
    world.settle_one(0);
    assert_eq!((world.state.current, world.state.restarts), (Current::Running, 0));
}

#[test]
fn a_start_in_backoff_starts_now_and_a_stop_in_backoff_stops() {
    let mut world = World::new(policy());
    world.give(Event::Start);
    world.settle_one(0);
    crash(&mut world);
    assert_eq!(world.state.current, Current::Backoff);
    world.give(Event::Start);
    world.settle_one(0);
    assert_eq!(world.state.current, Current::Running);
    crash(&mut world);
    world.give(Event::Stop { forced: false });
    assert_eq!((world.state.wanted, world.state.current), (Wanted::Down, Current::Stopped));
}

#[test]
fn exit_codes_that_prevent_a_restart_and_codes_that_mean_success() {
    let mut world = World::new(policy());
    world.give(Event::Start);
    world.settle_one(0);
    world.exit(Ended::Code(78));
    world.settle_one(0);
    assert_eq!(world.state.current, Current::Failed);

    world.policy.restart.policy = RestartPolicy::OnFailure;
    world.policy.restart.success_codes = vec![143];
    world.give(Event::Start);
    world.settle_one(0);
    world.exit(Ended::Signal(15));
    world.settle_one(0);
    assert_eq!(world.state.current, Current::Stopped, "143 is SIGTERM's");
}

#[test]
fn a_restart_of_a_running_service_stops_it_first_and_leaves_no_delay() {
    let mut world = World::new(policy());
    world.give(Event::Start);
    world.settle_one(0);
    world.give(Event::Restart);
    assert_eq!(world.state.current, Current::Ending);
    crash(&mut world);
    world.settle_one(0);
    assert_eq!((world.state.current, world.spawns), (Current::Running, 2));
}

#[test]
fn a_oneshot_is_up_when_it_has_ended_well() {
    let mut world = World::new(policy());
    world.policy.kind = Kind::Oneshot;
    world.give(Event::Start);
    world.settle_one(0);
    assert_eq!(world.state.word(), report::State::Starting);
    world.exit(Ended::Code(0));
    world.settle_one(0);
    assert_eq!(world.state.word(), report::State::Completed);
}

#[test]
fn a_task_waits_for_its_schedule_whatever_became_of_its_last_run() {
    let mut world = World::new(policy());
    world.policy.kind = Kind::Task;
    world.policy.restart.policy = RestartPolicy::Never;
    world.give(Event::Start);
    assert_eq!((world.state.current, world.state.word()), (Current::Armed, report::State::Running));
    world.give(Event::Due);
    world.settle_one(0);
    assert_eq!((world.state.current, world.main), (Current::Unready, true));
    crash(&mut world);
    assert_eq!((world.state.current, world.state.word()), (Current::Armed, report::State::Failed));
    world.give(Event::Due);
    world.settle_one(0);
    world.exit(Ended::Code(0));
    world.settle_one(0);
    assert_eq!((world.state.word(), world.spawns), (report::State::Running, 2));
    world.give(Event::Stop { forced: false });
    world.give(Event::Due);
    assert_eq!((world.state.current, world.spawns), (Current::Stopped, 2));
}

#[test]
fn not_ready_in_time_is_a_failure_with_that_reason() {
    let mut world = World::new(policy());
    world.policy.ready = Some(Duration::from_secs(5));
    world.policy.restart.policy = RestartPolicy::Never;
    world.give(Event::Start);
    world.settle_one(0);
    world.now += Duration::from_secs(5);
    world.give(Event::Deadline);
    assert_eq!(world.state.current, Current::Ending);
    world.exit(Ended::Code(0));
    world.settle_one(0);
    assert_eq!(world.state.reason.as_deref(), Some("did not become ready within 5s"));
}
