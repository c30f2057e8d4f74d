//! Whatever stands in argv and environment reaches the program byte for byte.

use serde_json::{Value, json};

use crate::support::{Test, eventually};

#[test]
fn argv_and_environment() {
    let Some(t) = Test::live("hostile") else { return };
    let words = [
        "",
        " ",
        "a b",
        "\"",
        "'",
        "\\",
        "\\\\",
        "trailing\\",
        "$HOME",
        "${HOME}",
        "$$",
        "%n",
        "%%",
        "100%",
        ";",
        "a;b",
        "&&",
        "|",
        "#no comment",
        "~",
        "*",
        "?",
        "[a]",
        "$(id)",
        "`id`",
        "!x",
        "\t",
        "a\tb",
        "ünï",
        "🦀",
        "--",
        "-",
        "=",
        "a=b",
        "@",
        "{}",
        "\u{7f}",
        "a\"b'c\\d$e%f;g#h",
        "\\x20",
        "\\n",
        "%h/%i",
    ];
    let long = "x".repeat(4096);
    let mut argv: Vec<&str> = words.to_vec();
    argv.push(&long);
    let quote = |text: &str| {
        json!(text.replace('$', "$$")).to_string().replace("\\u007f", "\u{7f}").replace('\u{7f}', "\\u007F")
    };
    let list = argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(", ");
    let environment =
        words.iter().enumerate().map(|(i, word)| format!("V{i} = {}", quote(word))).collect::<Vec<_>>().join(", ");
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [\"{{child}}\", \"--out\", \"{{dir}}/args\", \"--stay\", \"args\", {list}]\n\
         working_dir = \"{{dir}}\"\n\n\
         [service.{{p}}b]\nexec = [\"{{child}}\", \"--out\", \"{{dir}}/env\", \"--stay\", \"env\"]\nenv = {{ {environment} }}\n"
    ));
    t.install().ok();
    let read = |name: &str| -> Option<Value> { serde_json::from_slice(&std::fs::read(t.path(name)).ok()?).ok() };
    eventually("the arguments are written", || read("args").is_some());
    eventually("the environment is written", || read("env").is_some());
    assert_eq!(read("args").unwrap(), json!(argv));
    let environment = read("env").unwrap();
    for (i, word) in words.iter().enumerate() {
        assert_eq!(environment[format!("V{i}")], *word, "variable V{i}");
    }
    t.install().ok().says("unchanged");
}

#[cfg(unix)]
#[test]
fn a_path_with_spaces_and_worse() {
    let Some(t) = Test::live("paths") else { return };
    let folder = t.path("a b %n $x 'q' ü");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("my child");
    std::fs::copy(crate::support::child(), &program).unwrap();
    std::fs::write(folder.join("v.env"), "FROM_FILE='a value'\n").unwrap();
    let quoted = |path: &std::path::Path| json!(path.to_string_lossy().replace('$', "$$")).to_string();
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [{}, \"--out\", \"{{dir}}/cwd\", \"--stay\", \"cwd\"]\nworking_dir = {}\nenv_file = [{}]\n",
        quoted(&program),
        quoted(&folder),
        quoted(&folder.join("v.env"))
    ));
    t.install().ok();
    eventually("the folder is written", || std::fs::read_to_string(t.path("cwd")).is_ok_and(|text| text.contains("ü")));
    let environment = crate::support::environment(t.pid("{p}a"));
    assert!(environment.split('\0').any(|line| line == "FROM_FILE=a value"), "{environment}");
}
