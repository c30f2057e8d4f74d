use super::*;
use crate::exit::Exit;

fn sh(script: &str) -> Command {
    Command::new("sh").arg("-c").arg(script)
}

#[test]
fn a_command_is_given_its_words_as_they_are() {
    let ended = Command::from_argv(&["printf", "%s|", "a b", "$HOME", "*", ""]).unwrap().run().unwrap();
    assert_eq!(ended.text(), "a b|$HOME|*||");
    assert!(Command::from_argv(&[] as &[&str]).is_none());
}

#[test]
fn both_outputs_and_the_code_come_back() {
    let ended = sh("echo out; echo err >&2; exit 3").run().unwrap();
    assert_eq!((ended.code, ended.signal), (Some(3), None));
    assert_eq!((&ended.stdout[..], &ended.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(ended.reason(), "exited with code 3");
    let ended = sh("kill -9 $$").run().unwrap();
    assert_eq!((ended.code, ended.signal), (None, Some(9)));
}

#[test]
fn much_on_either_output_blocks_nothing() {
    let ended = sh("head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero").run().unwrap();
    assert_eq!((ended.stdout.len(), ended.stderr.len()), (1_000_000, 1_000_000));
}

#[test]
fn much_input_goes_in_while_output_comes_out() {
    let ended = Command::new("cat").stdin(vec![b'x'; 1_000_000]).run().unwrap();
    assert_eq!(ended.stdout.len(), 1_000_000);
}

#[test]
fn input_that_nobody_reads_is_no_error() {
    assert!(Command::new("true").stdin(vec![b'x'; 1_000_000]).run().unwrap().success());
}

#[test]
fn what_is_left_in_the_background_holds_nobody_up() {
    let began = Instant::now();
    let ended = sh("sleep 30 & echo $!").run().unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
    let left: i32 = ended.text().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(left), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn too_long_is_killed_with_all_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("sleep 60 & echo $! > {}/pid; wait", folder.path().display());
    // A second is time enough to write the file.
    let error = sh(&script).limit(Duration::from_secs(1)).run().unwrap_err();
    assert_eq!(error.exit(), Exit::TimedOut);
    assert!(error.to_string().ends_with("it took longer than 1 s"), "{error}");
    let child: i32 = std::fs::read_to_string(folder.path().join("pid")).unwrap().trim().parse().unwrap();
    let gone = || std::fs::read_to_string(format!("/proc/{child}/stat")).map_or(true, |stat| stat.contains(") Z "));
    let until = Instant::now() + Duration::from_secs(10);
    while !gone() {
        assert!(Instant::now() < until, "the child lives on");
        std::thread::yield_now();
    }
}

#[test]
fn a_failed_check_tells_what_was_said() {
    let error = sh("echo 'no such unit' >&2; exit 1").check().unwrap_err();
    assert!(error.to_string().contains("exited with code 1"), "{error}");
    assert_eq!(error.details(), ["no such unit"]);
}

#[test]
fn a_missing_program_or_folder_is_told() {
    let error = Command::new("no-such-program-anywhere").run().unwrap_err();
    assert!(error.to_string().contains("cannot run `no-such-program-anywhere`"), "{error}");
    let error = Command::new("true").dir("/no/such/folder").run().unwrap_err();
    assert!(error.hints()[0].contains("/no/such/folder"));
}

#[test]
fn the_environment_can_be_clean() {
    let ended = Command::new("/usr/bin/env").clean_env().env("A", "b c").run().unwrap();
    assert_eq!(ended.text(), "A=b c\n");
}
