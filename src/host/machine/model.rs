//! A model of the world around one service, and long random sequences of events in it: what must always hold.

use proptest::prelude::*;

use super::*;
use crate::service::{HealthAction, Kind, Restart, RestartLimit, RestartPolicy};

pub(super) fn policy() -> Policy {
    Policy {
        kind: Kind::Service,
        restart: Restart {
            policy: RestartPolicy::Always,
            delay: Duration::from_secs(1),
            factor: 2.0,
            max_delay: Duration::from_secs(60),
            jitter: 0.1,
            limit: None,
            reset_after: Duration::from_secs(600),
            success_codes: Vec::new(),
            prevent_codes: vec![78],
        },
        ready: None,
        health: HealthAction::Restart,
        depends: false,
        conditions: false,
        hooks: Vec::new(),
        stop_command: false,
        stop_timeout: Duration::from_secs(10),
    }
}

/// The engine and the kernel, as far as the machine can see them.
pub(super) struct World {
    pub(super) policy: Policy,
    pub(super) state: State,
    pub(super) now: Moment,
    pub(super) main: bool,
    rest: bool,
    spawn_owed: bool,
    pub(super) spawns: usize,
    /// What the engine owes the machine an event for.
    pub(super) owed: Vec<Event>,
}

impl World {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::new(Wanted::Down, Duration::ZERO),
            now: Duration::ZERO,
            main: false,
            rest: false,
            spawn_owed: false,
            spawns: 0,
            owed: Vec::new(),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "an event is given away")]
    pub(super) fn give(&mut self, event: Event) {
        let before = self.state.clone();
        let (state, actions) = step(&self.policy, before.clone(), event.clone(), Now { at: self.now, roll: 0.5 });
        self.state = state;
        if self.state.current == Current::GaveUp && before.current != Current::GaveUp {
            let limit = self.policy.restart.limit.expect("gave up without a limit");
            assert!(self.state.recent.len() >= limit.count as usize, "gave up before the limit");
        }
        if self.state.current == Current::Backoff && before.current != Current::Backoff {
            let wait = self.state.deadline.expect("a backoff ends").saturating_sub(self.now);
            assert!(wait >= self.policy.restart.delay, "backoff {wait:?} below policy after {event:?}");
        }
        for action in actions {
            self.act(action);
        }
        assert!(self.state.deadline.is_none_or(|at| at >= self.now || self.state.current == Current::Clearing));
        assert_eq!(self.state.current.has_main(), self.main, "{before:?} {event:?} {:?}", self.state);
        if self.state.wanted == Wanted::Down {
            assert!(
                !matches!(
                    self.state.current,
                    Current::Armed
                        | Current::Held
                        | Current::Waiting
                        | Current::PreStart
                        | Current::Backoff
                        | Current::Failed
                ),
                "an illegal pair: {:?}",
                self.state
            );
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Spawn => {
                assert_eq!(self.state.wanted, Wanted::Up, "a spawn while wanted down");
                assert!(!self.main && !self.rest && !self.spawn_owed, "two live children");
                self.spawn_owed = true;
            }
            Action::AwaitDependencies => self.owed.push(Event::DependenciesReady),
            Action::AskConditions => self.owed.push(Event::Conditions(Ok(()))),
            Action::RunHooks(stage) => self.owed.push(Event::Hooks(stage, Ok(()))),
            Action::StopCommand => self.owed.push(Event::StopCommandDone),
            Action::Abandon => {
                self.owed
                    .retain(|event| !matches!(event, Event::Hooks(..) | Event::Conditions(_) | Event::StopCommandDone));
            }
            Action::Kill => {
                self.rest = false;
                if self.main {
                    self.owed.push(Event::Exited(Ended::Signal(9)));
                } else {
                    self.owed.push(Event::Gone);
                }
            }
            Action::SignalRest if !self.rest => self.owed.push(Event::Gone),
            Action::SignalRest
            | Action::Signal
            | Action::WatchReady
            | Action::WatchHealth
            | Action::Unwatch
            | Action::Reload => {}
        }
    }

    /// Something that can happen in this world does.
    fn happen(&mut self, choice: u8, detail: u8) {
        match choice % 15 {
            0 => self.give(Event::Start),
            1 => self.give(Event::Stop { forced: detail.is_multiple_of(2) }),
            2 => self.give(Event::Restart),
            3 => self.give(Event::Ready),
            4 => self.give(Event::Unhealthy("sick".into())),
            5 => {
                self.now += Duration::from_millis(u64::from(detail) * 40);
                self.give(Event::Deadline);
            }
            6 if self.main => {
                self.exit(if detail < 128 { Ended::Code(i32::from(detail % 80)) } else { Ended::Signal(11) });
            }
            7 if self.main => self.rest = true,
            8 => self.owed_fails(),
            9 => self.new_supervisor(),
            10 => self.give(Event::Reload),
            11 => self.give(Event::Due),
            _ => self.settle_one(detail),
        }
    }

    /// What the last one had under way in itself is lost; the service lives on.
    fn new_supervisor(&mut self) {
        self.spawn_owed = false;
        self.owed.retain(|event| matches!(event, Event::Exited(_)));
        self.give(Event::Resume { alive: self.main });
    }

    pub(super) fn exit(&mut self, ended: Ended) {
        self.main = false;
        self.give(Event::Exited(ended));
    }

    fn owed_fails(&mut self) {
        if self.spawn_owed {
            self.spawn_owed = false;
            return self.give(Event::SpawnFailed("no such file".into()));
        }
        let Some(event) = self.owed.pop() else { return };
        let event = match event {
            Event::Hooks(stage, _) => Event::Hooks(stage, Err("failed".into())),
            Event::Conditions(_) => Event::Conditions(Err("timed out".into())),
            Event::DependenciesReady => Event::DependencyFailed("db".into()),
            other => return self.owed.push(other),
        };
        self.give(event);
    }

    pub(super) fn settle_one(&mut self, detail: u8) {
        if self.spawn_owed {
            self.spawn_owed = false;
            self.spawns += 1;
            self.main = true;
            // The machine knows of the process only now; the check of `give` is for after the event.
            return self.give(Event::Spawned);
        }
        if self.owed.is_empty() {
            return;
        }
        let index = usize::from(detail) % self.owed.len();
        match self.owed.remove(index) {
            Event::Exited(ended) if self.main => self.exit(ended),
            // The engine looks before it says so: what was true of an earlier run is not said of this one.
            Event::Exited(_) => {}
            Event::Gone if self.rest => {}
            event => self.give(event),
        }
    }

    /// From any state: a forced stop ends, whatever ignores it.
    fn stop_ends(&mut self) {
        self.give(Event::Stop { forced: true });
        for _ in 0..200 {
            if self.state.current == Current::Stopped {
                assert!(!self.main && !self.rest);
                return;
            }
            self.settle_one(0);
            if let Some(at) = self.state.deadline {
                self.now = self.now.max(at);
                self.give(Event::Deadline);
            }
        }
        panic!("a stop did not end: {:?}", self.state);
    }
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let restart = prop_oneof![
        Just(RestartPolicy::Always),
        Just(RestartPolicy::OnFailure),
        Just(RestartPolicy::OnSuccess),
        Just(RestartPolicy::Never)
    ];
    let kind = prop_oneof![3 => Just(Kind::Service), 1 => Just(Kind::Oneshot), 1 => Just(Kind::Task)];
    (restart, kind, proptest::option::of(1u32..4), any::<[bool; 8]>()).prop_map(|(restart, kind, limit, flag)| {
        let mut policy = policy();
        policy.kind = kind;
        policy.restart.policy = restart;
        policy.restart.limit = limit.map(|count| RestartLimit { count, within: Duration::from_secs(100) });
        policy.ready = flag[0].then_some(Duration::from_secs(5));
        policy.depends = flag[1];
        policy.conditions = flag[2];
        policy.stop_command = flag[3];
        let stages = [Stage::PreStart, Stage::PostStart, Stage::PreStop, Stage::PostStop];
        policy.hooks = stages.into_iter().zip(&flag[4..]).filter_map(|(stage, on)| on.then_some(stage)).collect();
        policy
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_the_invariants_hold(
        policy in any_policy(),
        events in proptest::collection::vec(any::<(u8, u8)>(), 0..400),
    ) {
        let mut world = World::new(policy);
        for (choice, detail) in events {
            world.happen(choice, detail);
        }
        world.stop_ends();
        let spawns = world.spawns;
        for choice in 3..15 {
            world.happen(choice, 0);
        }
        prop_assert_eq!(world.spawns, spawns, "a spawn while wanted down");
    }
}
