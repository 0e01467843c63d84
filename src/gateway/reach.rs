//! Whether what should run on this machine is there: a connection that is made and let go. Nothing is sent.

use std::time::Duration;

use tokio::net::TcpStream;

/// On this machine a connection is made or refused at once.
const PATIENCE: Duration = Duration::from_millis(500);

/// That nothing listens at `url`; none where something does, and for an address on another machine.
pub async fn fault(url: &str) -> Option<String> {
    if !super::peer::is_local(url) {
        return None;
    }
    let url = reqwest::Url::parse(url).ok()?;
    let (host, port) = (url.host_str()?.trim_matches(['[', ']']), url.port_or_known_default()?);
    match tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => None,
        // Host and port alone: an address may hold a password.
        _ => Some(format!("nothing answers at {host}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_on_this_machine_is_there_or_not_and_others_are_not_asked() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("http://user:secret@127.0.0.1:{port}/v1");
        assert_eq!(fault(&url).await, None);
        drop(listener);
        assert_eq!(
            fault(&url).await.unwrap(),
            format!("nothing answers at 127.0.0.1:{port}")
        );
        assert_eq!(fault("http://models.invalid/v1").await, None);
        assert_eq!(fault("no address").await, None);
    }
}
