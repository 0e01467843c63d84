//! The requests of docs/search.md: each can be pasted, and is answered.

use serde_json::Value;

use crate::app::TestApp;

#[tokio::test]
async fn every_request_of_the_guide_is_answered() {
    let app = TestApp::indexed().await;
    let guide = include_str!("../../docs/search.md").replace("\\\n", " ");
    let requests: Vec<&str> = guide.lines().filter(|line| line.starts_with("curl ")).collect();
    assert!(requests.len() > 10, "{requests:?}");
    for line in requests {
        let path = between(line, "127.0.0.1:8080", [' ', '\'']);
        let body = line.split_once("-d '").map(|(_, body)| body.trim_end_matches('\''));
        let method = match (line.contains("-X PUT"), body) {
            (true, _) => "PUT",
            (false, Some(_)) => "POST",
            (false, None) => "GET",
        };
        let mut request = app.request(method, path);
        if let Some(body) = body {
            let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
            request = request.json(&body);
        }
        if line.contains("Bearer $TOKEN") {
            request = request.bearer_auth("operator");
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        assert_eq!(status, 200, "{line}: {}", response.text().await.unwrap());
    }
}

fn between<'a>(line: &'a str, start: &str, ends: [char; 2]) -> &'a str {
    let (_, rest) = line.split_once(start).unwrap_or_else(|| panic!("no address in {line}"));
    rest.split(ends).next().unwrap()
}
