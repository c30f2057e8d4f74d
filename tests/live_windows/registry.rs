//! What the manager keeps of a service in the registry: while it is installed, and after it.

use serde_json::{Value, json};

use super::system;
use crate::support::windows::{registry, services};
use crate::support::{child, eventually};

#[test]
fn an_uninstall_leaves_the_services_as_they_were() {
    let Some(t) = system("as_before") else { return };
    let before = services();
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\ndisplay_name = \"Ünï \\\"quoted\\\" 100% \\\\\"\n\
         description = \"Größe\"\nstop = { timeout = \"7s\" }\nwindows = { account = \"LocalSystem\", load_order_group = \"g\" }\n\
         [service.{p}b]\nexec = [\"{child}\", \"sleep\"]\nrequires = [\"{p}a\"]\nstart = \"manual\"\n",
    );
    t.install().ok();
    let key = t.fill(r"HKLM\SYSTEM\CurrentControlSet\Services\{p}a");
    let kept = registry(&key);
    let image = kept.lines().find(|line| line.contains("ImagePath")).unwrap();
    assert!(image.contains("    \"C:\\") && image.trim_end().ends_with(&t.fill("host --service {p}a")), "{image}");
    assert!(kept.contains("100% \\"), "{kept}");
    assert_ne!(services(), before);
    t.install().ok().says("unchanged");
    t.run(&["uninstall", "manifest.toml"]).ok();
    assert_eq!(services(), before);
}

#[test]
fn a_program_below_a_folder_with_a_hostile_name() {
    let Some(t) = system("hostile_path") else { return };
    let folder = t.path("a b %PATH% 'q' ü; &c");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("my child.exe");
    std::fs::copy(child(), &program).unwrap();
    let quoted = |path: &std::path::Path| json!(path.to_string_lossy().replace('$', "$$")).to_string();
    let argv = ["%PATH%", "a \"b\" c\\", "\\\\server\\share\\", "ünï", "^&|<>", ""];
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [{}, \"--out\", {}, \"--stay\", \"args\", {}]\n",
        quoted(&program),
        quoted(&folder.join("args.json")),
        argv.iter().map(|word| json!(word).to_string()).collect::<Vec<_>>().join(", ")
    ));
    t.run(&["install", "manifest.toml", "--allow-writable"]).ok();
    let read = || -> Option<Value> { serde_json::from_slice(&std::fs::read(folder.join("args.json")).ok()?).ok() };
    eventually("the arguments are written", || read().is_some());
    assert_eq!(read().unwrap(), json!(argv));
    t.run(&["install", "manifest.toml", "--allow-writable"]).ok().says("unchanged");
}
