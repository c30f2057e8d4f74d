//! A grandchild in a session of its own that keeps the pipe open holds nothing up.

use std::time::{Duration, Instant};

use daemonctl::host::control::Ask;
use daemonctl::report::Effect;
use daemonctl::service::KillScope;

use super::support::*;

const AT_ONCE: Duration = Duration::from_secs(2);

#[test]
fn restart_and_stop_do_not_wait_for_a_pipe_that_somebody_holds() {
    let supervisor = Supervisor::start();
    let pid = supervisor.file("grandchild");
    let holder = ["grandchild", "--setsid", "--hold-stdout", "--pid-file", &pid.display().to_string(), "sleep"];
    let mut web = service("web", child(&holder));
    web.stop.kill = KillScope::Main;
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let first = pid_in(&pid);
    std::fs::remove_file(&pid).expect("remove");
    let began = Instant::now();
    assert_eq!(supervisor.verb(Ask::Restart, &["web"])["web"], Ok(Effect::Restarted));
    let second = pid_in(&pid);
    std::fs::remove_file(&pid).expect("remove");
    signal(supervisor.main_pid("web"), libc::SIGKILL);
    let third = pid_in(&pid);
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    assert!(began.elapsed() < 2 * AT_ONCE, "{:?}", began.elapsed());
    for grandchild in [first, second, third] {
        assert!(lives(grandchild), "only the main process was to be killed");
        signal(grandchild, libc::SIGKILL);
    }
}

#[test]
fn with_the_whole_tree_it_is_killed_at_once_though_it_writes_on() {
    let supervisor = Supervisor::start();
    let pid = supervisor.file("grandchild");
    let pid_file = pid.display().to_string();
    let flood = ["grandchild", "--setsid", "--hold-stdout", "--pid-file", &pid_file, "flood", "1000000000000"];
    let mut web = service("web", child(&flood));
    web.logs.max_size = Some(1 << 20);
    web.logs.keep = Some(1);
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let grandchild = pid_in(&pid);
    let began = Instant::now();
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert!(!lives(grandchild));
}
