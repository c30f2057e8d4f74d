//! Services start after what they depend on and stop before it; one that fails names what it held up.

use crate::support::{Test, Where};

fn log(t: &Test) -> Vec<String> {
    std::fs::read_to_string(t.path("log")).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn order_of_start_and_stop() {
    let Some(t) = Test::live("order") else { return };
    if t.place == Where::Windows {
        return; // the manager's business, and Wine's does not do it
    }
    // Written in the wrong order, each slower than the one that depends on it.
    let service = |name: &str, after: &str, slow: u32| {
        format!(
            "[service.{{p}}{name}]\nexec = [\"{{child}}\", \"--append\", \"{{dir}}/log\", \"up {name}\", \"notify\", \"--after\", \"{slow}\"]\n\
             ready = {{ notify = true }}\nrequires = [{after}]\nhooks = {{ post_stop = [[\"{{child}}\", \"append\", \"{{dir}}/log\", \"down {name}\"]] }}\n"
        )
    };
    t.manifest(&format!("{}{}{}", service("c", "\"{p}b\"", 0), service("b", "\"{p}a\"", 150), service("a", "", 300)));
    t.install().ok();
    assert_eq!(log(&t), ["up a", "up b", "up c"]);
    t.run(&["stop", "--all"]).ok();
    assert_eq!(log(&t)[3..], ["down c", "down b", "down a"]);
    std::fs::remove_file(t.path("log")).unwrap();
    t.run(&["start", "{p}c"]).ok();
    assert_eq!(log(&t), ["up a", "up b", "up c"], "what it requires is started too");
    t.run(&["uninstall", "manifest.toml"]).ok();
    assert_eq!(log(&t)[3..], ["down c", "down b", "down a"]);
}

#[test]
fn a_failure_names_what_it_held_up() {
    let Some(t) = Test::live("held_up") else { return };
    if t.place == Where::Windows {
        return; // the manager's business, and Wine's does not do it
    }
    let before = t.machine();
    t.manifest(
        "[service.{p}db]\nexec = [\"{child}\", \"--eprint\", \"no disk\", \"exit\", \"3\"]\nrestart = { policy = \"never\" }\nready = { notify = true }\n\
         [service.{p}web]\nexec = [\"{child}\", \"--append\", \"{dir}/log\", \"web\", \"sleep\"]\nrequires = [\"{p}db\"]\n",
    );
    let ran = t.install().exits(1);
    for said in ["{p}db", "{p}web", "no disk"] {
        assert!(ran.stderr.contains(&t.fill(said)), "`{said}` is not in\n{ran}");
    }
    assert_eq!(log(&t), Vec::<String>::new());
    assert_eq!(t.machine(), before);

    t.run(&["install", "manifest.toml", "--no-start"]).ok();
    let ran = t.run(&["start", "{p}web"]).exits(1);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains(&t.fill("{p}db")) && said.contains(&t.fill("{p}web")), "{ran}");
    assert_eq!(log(&t), Vec::<String>::new(), "it was started though what it requires failed");
}

#[test]
fn what_is_only_wanted_may_fail() {
    let Some(t) = Test::live("wanted") else { return };
    t.manifest(
        "[service.{p}cache]\nexec = [\"{child}\", \"exit\", \"3\", \"when\", \"{dir}/end\"]\nrestart = { policy = \"never\" }\n\
         [service.{p}web]\nexec = [\"{child}\", \"sleep\"]\nwants = [\"{p}cache\"]\n",
    );
    t.install().ok();
    t.write("end", "");
    t.wait_for("{p}cache", |status| status["state"] == "failed");
    t.pid("{p}web");
}
