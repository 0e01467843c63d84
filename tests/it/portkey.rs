//! The real Portkey gateway, one process for the whole test binary.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Ends the gateway with its standard input, which closes when the test binary ends, however it ends.
const END_WITH_INPUT: &str = "data:text/javascript,process.stdin.resume().on('end',()=>process.exit())";
const SERVER: &str = "node_modules/@portkey-ai/gateway/build/start-server.js";
/// Another process may take a free port before the gateway does.
const TRIES: usize = 3;

struct Running {
    url: String,
    /// Holds the gateway's standard input open.
    _process: Child,
}

/// The gateway's address with `/v1`. The first call starts it and waits until it says that it is ready.
pub fn url() -> &'static str {
    static RUNNING: OnceLock<Running> = OnceLock::new();
    &RUNNING.get_or_init(start).url
}

/// A port of this machine that nothing listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn start() -> Running {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway");
    assert!(
        folder.join(SERVER).is_file(),
        "`gateway/{SERVER}` is missing; `scripts/gateway --install` installs the gateway"
    );
    for _ in 0..TRIES {
        if let Some(running) = try_start(&folder) {
            return running;
        }
    }
    panic!("the gateway ended {TRIES} times before it was ready; `scripts/gateway` shows what it says");
}

fn try_start(folder: &Path) -> Option<Running> {
    let port = free_port();
    let mut process = Command::new("node")
        .current_dir(folder)
        .args(["--import", "./loopback.mjs", "--import", END_WITH_INPUT, SERVER])
        .args([&format!("--port={port}"), "--headless"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("`node` starts; the gateway needs it");
    let mut output = process.stdout.take().unwrap();
    let mut said = Vec::new();
    let mut buffer = [0; 512];
    while !String::from_utf8_lossy(&said).contains("Ready for connections") {
        match output.read(&mut buffer) {
            Ok(0) | Err(_) => {
                process.wait().unwrap();
                return None;
            }
            Ok(length) => said.extend_from_slice(&buffer[..length]),
        }
    }
    // Somebody must read on, or the gateway stops when the pipe is full.
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    Some(Running {
        url: format!("http://127.0.0.1:{port}/v1"),
        _process: process,
    })
}
