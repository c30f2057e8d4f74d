//! Two real services, one depending on the other, from install to uninstall.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Test, eventually, free_port, lives, signal};

fn manifest(t: &Test, redis: u16, nginx: u16, body: &str) {
    t.write(
        "nginx.conf",
        &format!(
            "daemon off; pid {{dir}}/nginx.pid; error_log stderr; worker_processes 1;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {{dir}}/t1; proxy_temp_path {{dir}}/t2;\n\
             fastcgi_temp_path {{dir}}/t3; uwsgi_temp_path {{dir}}/t4; scgi_temp_path {{dir}}/t5;\n\
             server {{ listen 127.0.0.1:{nginx}; location / {{ return 200 \"{body}\"; }} }} }}\n"
        )
        .replace("{{", "{")
        .replace("}}", "}"),
    );
    // Not every user has its folder in PATH.
    let program = if cfg!(target_os = "linux") { "/usr/sbin/nginx" } else { "nginx" };
    // redis says when it is ready where it was built with libsystemd.
    let (supervised, ready) =
        if cfg!(target_os = "linux") { ("systemd", "notify = true") } else { ("no", "tcp = \"127.0.0.1:{redis}\"") };
    let ready = ready.replace("{redis}", &redis.to_string());
    t.manifest(&format!(
        r#"
manifest = 1

[service.{{p}}redis]
description = "A cache"
exec = ["redis-server", "--port", "{redis}", "--bind", "127.0.0.1", "--save", "", "--supervised", "{supervised}", "--daemonize", "no"]
working_dir = "{{dir}}"
ready = {{ {ready}, timeout = "30s" }}
restart = {{ policy = "always", delay = "100ms" }}

[service.{{p}}nginx]
description = "A web server"
exec = ["{program}", "-c", "{{dir}}/nginx.conf", "-p", "{{dir}}"]
requires = ["{{p}}redis"]
ready = {{ tcp = "127.0.0.1:{nginx}", timeout = "30s" }}
stop = {{ signal = "QUIT", timeout = "10s" }}
restart = {{ policy = "always", delay = "100ms" }}
env = {{ NGINX_MARK = "{body}" }}
"#
    ));
}

fn answers(port: u16, request: &str, wanted: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let mut buffer = [0; 512];
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read(&mut buffer).is_ok_and(|n| String::from_utf8_lossy(&buffer[..n]).contains(wanted))
}

#[test]
fn redis_and_nginx() {
    let Some(t) = Test::live("redis_and_nginx") else { return };
    let before = t.machine();
    let (redis, nginx) = (free_port(), free_port());
    manifest(&t, redis, nginx, "one");

    // Both come up, in order, ready when the command returns, and enabled.
    t.install().ok().says("installed");
    assert!(answers(redis, "PING\r\n", "PONG"), "redis does not answer");
    assert!(answers(nginx, "GET / HTTP/1.0\r\n\r\n", "200 OK"), "nginx does not answer");
    for unit in ["{p}redis", "{p}nginx"] {
        let status = t.status(unit);
        assert_eq!(status["state"], "running", "{status:#}");
        assert_eq!(status["enabled"], true, "{status:#}");
        assert_eq!(status["drift"], "none", "{status:#}");
    }
    t.run(&["status", "{p}redis", "{p}nginx"]).ok();

    // A second install changes nothing.
    let (first_redis, first_nginx) = (t.pid("{p}redis"), t.pid("{p}nginx"));
    let reloads = reloads(&t);
    let second = t.install().ok().says("unchanged");
    assert!(!second.stdout.contains("restarted"), "{second}");
    assert_eq!((t.pid("{p}redis"), t.pid("{p}nginx")), (first_redis, first_nginx));
    assert_eq!(self::reloads(&t), reloads, "a second install must not reload the manager");

    // One changed key restarts that service alone.
    manifest(&t, redis, nginx, "two");
    t.run(&["plan", "manifest.toml", "--exit-code"]).exits(10);
    t.install().ok().says("restarted");
    assert_eq!(t.pid("{p}redis"), first_redis, "redis was restarted though it did not change");
    let second_nginx = t.pid("{p}nginx");
    assert_ne!(second_nginx, first_nginx, "nginx was not restarted though it changed");

    // A killed service comes back, and that is counted.
    signal(first_redis, Signal::SIGKILL);
    let status = t.wait_for("{p}redis", |status| {
        status["state"] == "running" && status["pid"].as_i64().is_some_and(|pid| pid != i64::from(first_redis))
    });
    assert_eq!(status["restarts"], 1, "{status:#}");
    eventually("redis answers again", || answers(redis, "PING\r\n", "PONG"));

    // A stop holds, whatever the policy; nothing of it is left.
    let pid = t.pid("{p}nginx");
    t.run(&["stop", "{p}nginx"]).ok().says("stopped");
    assert!(!lives(pid));
    t.run(&["stop", "{p}nginx"]).ok().says("unchanged");
    assert_eq!(t.status("{p}nginx")["state"], "stopped");
    t.run(&["status", "{p}nginx"]).exits(3);
    t.run(&["start", "{p}nginx"]).ok().says("started");
    t.run(&["start", "{p}nginx"]).ok().says("unchanged");

    // Gone without a trace.
    let pids = [t.pid("{p}redis"), t.pid("{p}nginx")];
    t.run(&["uninstall", "manifest.toml"]).ok().says("removed");
    assert!(pids.iter().all(|pid| !lives(*pid)), "something still runs");
    assert_eq!(t.machine(), before, "the machine is not as before");
    assert!(!t.state().join("bin").exists(), "the copy of daemonctl must go with the last service that ran it");
    assert!(!t.state().join("receipts/redis-and-nginx-nginx.json").exists());
    t.run(&["status", "{p}nginx"]).exits(4);
    t.run(&["uninstall", "{p}nginx", "{p}redis"]).ok().says("absent");
}

/// How often systemd has loaded its definitions, by its own journal.
fn reloads(t: &Test) -> usize {
    if !t.systemd() {
        return 0;
    }
    let mut command = std::process::Command::new("journalctl");
    command.args(["--output=cat", "--quiet"]);
    command.args(if t.system_scope() { ["_PID=1", "-b"] } else { ["--user", "-b"] });
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with("Reloading.")).count()
}
