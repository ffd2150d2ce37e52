//! What no transcript can show: bytes that must be exact, files that are written, exit codes, and
//! the same answer in several ways.

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use linmem::export::{self, read_json};
use serde_json::Value;
use support::{Scene, example, linmem, root};

/// The committed examples, with the options that the README shows them with.
const EXAMPLES: [(&str, &str); 5] = [
    ("double_free", ""),
    ("leaks", ""),
    ("null_ignored", "--max-pages 4"),
    ("steady_growth", ""),
    ("strings", ""),
];

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks that linmem could not do its job, and that its last line says why.
fn assert_failed(output: &Output, message: &str) {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.lines().last().unwrap_or_default().contains(message), "{stderr}");
}

// ---- the guest's own streams and exit code ---------------------------------

#[test]
fn stdin_stdout_and_stderr_pass_through_untouched() {
    let scene = Scene::new();
    let input: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut command = scene.command("linmem run $TMP/echo.wasm");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn({
        let input = input.clone();
        move || stdin.write_all(&input)
    });
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.stdout == input, "stdout holds what the guest wrote and nothing else");
    assert!(output.stderr.starts_with(b"\xff\0\x1b\nlinmem: echo.wasm: no problems found\n"));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn quiet_leaves_stderr_to_the_guest() {
    let output = Scene::new().run("linmem run --quiet $TMP/echo.wasm");
    assert_eq!(output.stderr, b"\xff\0\x1b\n");
}

#[test]
fn exit_codes() {
    let scene = Scene::new();
    let code = |line: &str| scene.run(line).status.code();
    assert_eq!(code("linmem run -q examples/strings.wasm"), Some(0), "nothing found");
    assert_eq!(code("linmem run -q examples/leaks.wasm"), Some(1), "errors");
    assert_eq!(code("linmem run -q $TMP/text.txt"), Some(2), "linmem could not do its job");
    assert_eq!(code("linmem run -q $TMP/exit_code.wasm"), Some(7), "the guest's own");
    assert_eq!(code("linmem run -q $TMP/trap.wasm"), Some(134), "a trap");
    assert_eq!(code("linmem run -q --timeout 0.1 $TMP/spin.wasm"), Some(134), "a timeout");
    assert_eq!(code("linmem --help"), Some(0));
    assert_eq!(code("linmem run --no-such-flag"), Some(2));
}

#[test]
fn a_guest_gets_only_what_it_is_granted() {
    let scene = Scene::new();
    assert_eq!(scene.run("linmem run -q $TMP/preopen.wasm").status.code(), Some(8), "EBADF");
    let granted = scene.run("linmem run -q --dir $TMP::/data $TMP/preopen.wasm");
    assert_eq!(granted.stdout, b"/data");
    let alone = scene.run("SECRET=1 linmem run -q $TMP/arguments.wasm");
    assert_eq!(alone.stdout, b"arguments.wasm\0", "no variable is there");
    let passed_on = scene.run("SECRET=1 linmem run -q --env SECRET $TMP/arguments.wasm");
    assert_eq!(passed_on.stdout, b"arguments.wasm\0SECRET=1\0");
}

#[test]
fn a_closed_pipe_is_no_error() {
    for line in ["linmem inspect examples/leaks.wasm", "linmem run examples/strings.wasm"] {
        let mut child = Scene::new()
            .command(line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
    }
}

// ---- reports in several forms ----------------------------------------------

#[test]
fn a_recording_gives_the_same_report_as_the_run() {
    for (name, options) in EXAMPLES {
        let scene = Scene::new();
        let run = scene.run(&format!(
            "linmem run {options} --trace $TMP/x.trace --json $TMP/run.json examples/{name}.wasm"
        ));
        let report = scene.run("linmem report --json $TMP/report.json $TMP/x.trace");
        assert_eq!(stderr(&run), stderr(&report), "{name}");
        assert_eq!(run.status.code(), report.status.code(), "{name}");
        let json = |file: &str| fs::read_to_string(scene.path(file)).unwrap();
        assert_eq!(json("run.json"), json("report.json"), "{name}");
    }
}

#[test]
fn json_keeps_its_schema() {
    for (name, options) in EXAMPLES {
        let scene = Scene::new();
        let output = scene.run(&format!("linmem run {options} -q --json - examples/{name}.wasm"));
        let start = output.stdout.iter().position(|byte| *byte == b'{').unwrap();
        let written = &output.stdout[start..];
        let report = read_json(written).expect("no field is unknown, none is missing");
        let mut again = Vec::new();
        export::json(&report, |_| None, &mut again).unwrap();
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(written), "{name}");

        let mut value: Value = serde_json::from_slice(written).unwrap();
        assert_eq!((&value["format"], &value["version"]), (&"linmem-report".into(), &1.into()));
        value["report"]["new_field"] = 1.into();
        assert!(read_json(value.to_string().as_bytes()).is_err(), "an unknown field is refused");
        value["report"].as_object_mut().unwrap().remove("new_field");
        value["version"] = 2.into();
        assert!(read_json(value.to_string().as_bytes()).is_err(), "another version is refused");
    }
}

#[test]
fn a_report_in_a_file_has_no_colours() {
    let scene = Scene::new();
    let on_stderr = scene.run("linmem run examples/leaks.wasm");
    let in_file = scene.run("linmem run --color always -o $TMP/x.txt examples/leaks.wasm");
    assert_eq!(in_file.stderr, b"");
    assert_eq!(fs::read(scene.path("x.txt")).unwrap(), on_stderr.stderr);
    assert_eq!(in_file.status, on_stderr.status);
}

#[test]
fn debug_information_may_lie_in_a_file_of_its_own() {
    let scene = Scene::new();
    let wasm = example("leaks");
    let mut split = wasm_without_debug(&wasm);
    let section = b"\x13external_debug_info\x0aleaks.wasm";
    split.extend([&[0, section.len() as u8], &section[..]].concat());
    fs::create_dir(scene.path("split")).unwrap();
    fs::write(scene.path("split/split.wasm"), &split).unwrap();

    let without = scene.run("linmem run $TMP/split/split.wasm");
    assert!(stderr(&without).starts_with("linmem: no source lines: cannot read "));
    fs::write(scene.path("split/leaks.wasm"), &wasm).unwrap();
    let with = stderr(&scene.run("linmem run $TMP/split/split.wasm"));
    assert!(with.contains("examples/leaks.c:34"), "{with}");
}

/// A module without its DWARF sections.
fn wasm_without_debug(wasm: &[u8]) -> Vec<u8> {
    let mut out = wasm[..8].to_vec();
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        let payload = payload.unwrap();
        let Some((id, range)) = payload.as_section() else { continue };
        if !matches!(&payload, wasmparser::Payload::CustomSection(s) if s.name().starts_with(".debug"))
        {
            out.push(id);
            let mut size = range.len();
            while size >= 0x80 {
                out.push(size as u8 | 0x80);
                size >>= 7;
            }
            out.push(size as u8);
            out.extend(&wasm[range]);
        }
    }
    out
}

// ---- recordings that stop early --------------------------------------------

#[test]
fn a_recording_that_stops_anywhere_still_reports() {
    let scene = Scene::new();
    scene.run("linmem run -q --trace $TMP/whole.trace examples/leaks.wasm");
    let whole = fs::read(scene.path("whole.trace")).unwrap();
    // The recording begins with the module, of which nothing can be left out.
    let steps = (0..40).map(|step| whole.len() * step / 40);
    for length in steps.chain(whole.len() - 40..whole.len()) {
        fs::write(scene.path("cut.trace"), &whole[..length]).unwrap();
        let output = scene.run("linmem report $TMP/cut.trace");
        let text = stderr(&output);
        assert!(matches!(output.status.code(), Some(0..=2)), "{length}: {text}");
        assert!(!text.contains("panicked"), "{length}: {text}");
        // The last bytes are the program's exit and the time.
        if output.status.code() != Some(2) && length + 8 < whole.len() {
            assert!(text.contains("The recording stops before"), "{length}: {text}");
        }
    }
}

#[test]
fn a_recording_that_stops_early_is_not_judged() {
    let scene = Scene::new();
    scene.run("linmem run -q --trace $TMP/whole.trace examples/leaks.wasm");
    let whole = fs::read(scene.path("whole.trace")).unwrap();
    for length in (70_000..whole.len() - 20).step_by(1000) {
        fs::write(scene.path("cut.trace"), &whole[..length]).unwrap();
        let output = scene.run("linmem report $TMP/cut.trace");
        let text = stderr(&output);
        assert!(!text.contains("[leak-"), "cut at {length} of {}: {text}", whole.len());
    }
}

// ---- files that cannot be written ------------------------------------------

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_one_clear_line() {
    let scene = Scene::new();
    for option in ["--trace", "--json", "--output"] {
        let output = scene.run(&format!("linmem run {option} /dev/full examples/leaks.wasm"));
        assert_failed(&output, "cannot write /dev/full: No space left on device");
        let report = stderr(&output).starts_with("linmem: leaks.wasm: 2 errors");
        assert_eq!(report, option != "--output", "the report is shown where it can be");
    }
    let output = scene.run("linmem instrument examples/leaks.wasm -o /dev/full");
    assert_failed(&output, "cannot write /dev/full: No space left on device");
}

// ---- compiled code ----------------------------------------------------------

/// The files with compiled code in a directory.
fn compiled(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let within = paths.flat_map(|path| match path.is_dir() {
        true => compiled(&path),
        false => vec![path],
    });
    // wasmtime keeps statistics beside them, and a note of when it has last looked for old files.
    within.filter(|path| !path.file_name().unwrap().to_string_lossy().contains('.')).collect()
}

#[test]
fn compiled_code_is_kept_and_changes_no_report() {
    let scene = Scene::new();
    let cache = scene.path("cache");
    let run = |command: &str, cache: &str| {
        let line = format!("LINMEM_CACHE_DIR=$TMP/{cache} linmem {command} examples/leaks.wasm");
        let output = scene.run(&line);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stderr(&output)
    };
    let plain = run("run --no-cache", "cache");
    assert!(!cache.exists(), "nothing is kept");
    assert_eq!(run("run", "cache"), plain);
    let kept = compiled(&cache);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let code = fs::read(&kept[0]).unwrap();
    assert_eq!(run("run", "cache"), plain, "from the code that was kept");
    let checked = run("check", "cache");
    assert_eq!(compiled(&cache).len(), 2, "code with checks is other code");
    assert_eq!(run("check", "cache"), checked);
    for broken in [&code[..0], &code[..code.len() / 2], b"not compiled code"] {
        fs::write(&kept[0], broken).unwrap();
        assert_eq!(run("run", "cache"), plain, "compiled anew");
        assert_eq!(fs::read(&kept[0]).unwrap().len(), code.len(), "and kept again");
    }
    assert_eq!(run("run", "text.txt"), plain, "where nothing can be kept");
}

// ---- the instrumented module -----------------------------------------------

#[test]
fn instrumented_modules_are_valid() {
    let scene = Scene::new();
    let modules = EXAMPLES.iter().map(|(name, _)| format!("examples/{name}.wasm"));
    let made = fs::read_dir(root().join("crates/linmem-cli/tests/modules")).unwrap();
    let made = made.map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        format!("$TMP/{}", name.replace(".wat", ".wasm"))
    });
    for module in modules.chain(made) {
        let output = scene.run(&format!("linmem instrument {module} -o $TMP/out.wasm"));
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]), "{module}");
        let wasm = fs::read(scene.path("out.wasm")).unwrap();
        wasmparser::validate(&wasm).unwrap_or_else(|error| panic!("{module}: {error}"));
    }
}

#[test]
fn instrumenting_leaves_the_module_as_it_is() {
    let scene = Scene::new();
    let wasm = example("strings");
    fs::write(scene.path("strings.wasm"), &wasm).unwrap();
    scene.run("linmem instrument $TMP/strings.wasm -o $TMP/out.wasm");
    scene.run("linmem run $TMP/strings.wasm");
    assert!(fs::read(scene.path("strings.wasm")).unwrap() == wasm);
}

#[test]
fn the_version_is_that_of_the_package() {
    let output = linmem().arg("--version").output().unwrap();
    let version = concat!("linmem ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), version);
}

/// A C string with a NUL inside would be cut off silently; with its length it is whole.
#[test]
fn a_nul_inside_of_a_text_needs_a_length() {
    let scene = Scene::new();
    std::fs::write(scene.path("nul.txt"), "a\0b").unwrap();
    let cut = scene.run("linmem call $TMP/values.wasm first_byte @$TMP/nul.txt");
    assert_eq!(cut.status.code(), Some(1));
    let error = String::from_utf8_lossy(&cut.stderr);
    assert!(error.contains("the text has a NUL at byte 1"), "{error}");
    let whole =
        scene.run("linmem call -q $TMP/values.wasm same sized:@$TMP/nul.txt --returns bytes");
    assert_eq!(whole.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&whole.stdout), "a\\u{0}b\n");
}

/// Only what is freed in the call was taken over.
#[test]
fn an_export_takes_over_the_texts_that_it_frees() {
    let scene = Scene::new();
    let took = "note: `free` took over the texts that it was given: it freed 3 of 3";
    let freed = stderr(&scene.run("linmem call --times 3 $TMP/values.wasm free hello"));
    assert!(freed.contains(took), "{freed}");
    let kept = stderr(&scene.run("linmem call --times 3 $TMP/values.wasm first_byte hello"));
    assert!(!kept.contains("took over"), "{kept}");
}
