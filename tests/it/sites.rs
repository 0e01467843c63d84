//! Pages, sitemaps and whole sites as sources, against a site of the test's own.

use serde_json::{Value, json};

use crate::app::{TestApp, eventually};
use crate::cli::run;
use crate::indexing::uris;
use crate::website::Website;

/// Indexes a source and returns the job once it has ended.
pub async fn index(app: &TestApp, source: Value) -> Value {
    let (status, answer) = ask(app, &json!({ "source": source, "collection": "default" })).await;
    assert_eq!(status, 202, "{answer}");
    let path = format!("/v1/jobs/{}", answer["job"].as_str().unwrap());
    eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] != "running")).await
}

/// What `POST /v1/index` answers the operator.
pub async fn ask(app: &TestApp, body: &Value) -> (u16, Value) {
    let request = app.request("POST", "/v1/index").bearer_auth("operator").json(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn url(url: &str) -> Value {
    json!({ "kind": "url", "url": url, "delay_ms": 0, "allow_private": true })
}

fn crawl(url: &str) -> Value {
    json!({ "kind": "crawl", "url": url, "delay_ms": 0, "allow_private": true })
}

fn counts(value: &Value) -> [u64; 4] {
    ["added", "changed", "deleted", "unchanged"].map(|key| value[key].as_u64().unwrap())
}

fn detail(job: &Value) -> &str {
    job["errors"][0]["detail"]
        .as_str()
        .unwrap_or_else(|| panic!("no error: {job}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_asked_for_again_and_sent_only_when_it_changed() {
    let (app, site) = (TestApp::start().await, Website::start().await);
    site.page("a.html?x=1", "Tides", &[]);
    let address = site.at("a.html?x=1");
    assert_eq!(counts(&index(&app, url(&address)).await), [1, 0, 0, 0]);
    assert_eq!(uris(&app).await.concat(), address);
    assert_eq!(site.asked(), ["200 /a.html?x=1"]);
    assert_eq!(counts(&index(&app, url(&address)).await), [0, 0, 0, 1]);
    assert_eq!(site.asked(), ["304 /a.html?x=1"]);
    site.page("a.html?x=1", "Ebb tides", &[]);
    assert_eq!(counts(&index(&app, url(&address)).await), [0, 1, 0, 0]);
    let (_, list) = app.get("/v1/documents").await;
    assert_eq!(list["documents"][0]["title"], "Ebb tides", "{list}");
    site.forgets("a.html?x=1");
    assert_eq!(counts(&index(&app, url(&address)).await), [0, 0, 1, 0]);
    assert_eq!(uris(&app).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_public_is_not_asked_wherever_it_is_named() {
    let (app, site) = (TestApp::start().await, Website::start().await);
    site.page("a", "Tides", &[]);
    let port = site.url.rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    // By an address, as it stands and in disguise.
    for host in ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254"] {
        let source = json!({ "kind": "url", "url": format!("http://{host}:{port}/a") });
        let (status, problem) = ask(&app, &json!({ "source": source, "collection": "default" })).await;
        assert_eq!(status, 400, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains("--allow-private"),
            "{problem}"
        );
    }
    // By a name that stands for one.
    let job = index(
        &app,
        json!({ "kind": "url", "url": format!("http://localhost:{port}/a") }),
    )
    .await;
    assert!(
        job["state"] == "failed" && detail(&job).contains("`localhost` is no public"),
        "{job}"
    );
    // By a redirect of a site that may be private itself.
    for (path, host) in [("to-address", "127.0.0.2"), ("to-name", "localhost")] {
        site.redirects(path, &format!("http://{host}:{port}/a"));
        let job = index(&app, url(&site.at(path))).await;
        assert!(detail(&job).contains("is no public address"), "{job}");
    }
    site.redirects("to-file", "file:///etc/passwd");
    let job = index(&app, url(&site.at("to-file"))).await;
    assert!(detail(&job).contains("`file:` is not read"), "{job}");
    assert!(!site.asked().contains(&"200 /a".to_owned()));
    site.redirects("here", "/a#part");
    assert_eq!(index(&app, url(&site.at("here"))).await["added"], 1);
    assert_eq!(uris(&app).await, [site.at("a")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_misbehaves_costs_itself_alone() {
    let (app, site) = (TestApp::start().await, Website::start().await);
    let check = async |path: &str, words: &str| {
        let job = index(&app, url(&site.at(path))).await;
        assert!(detail(&job).contains(words), "{job}");
    };
    site.redirects("round", "/about");
    site.redirects("about", "/round");
    check("round", "redirected over 5 times").await;
    site.redirects("self", "/self");
    check("self", "to itself").await;
    site.says_without_end("endless");
    check("endless", "over 64 MB").await;
    site.says("broken", 500, &[], "no");
    check("broken", "500").await;
    site.says("packed", 200, &[("content-encoding", "gzip")], "no gzip");
    check("packed", "packed wrongly").await;
    site.says(
        "picture",
        200,
        &[("content-type", "image/png")],
        b"\x89PNG\0\0\0\x01".to_vec(),
    );
    let job = index(&app, url(&site.at("picture"))).await;
    assert_eq!(job["skipped"], json!({ "image/png": 1 }), "{job}");
    assert_eq!(
        index(&app, url(&site.at("none"))).await["skipped"],
        json!({ "not found": 1 })
    );
    assert_eq!(app.get("/v1/documents").await.1["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_read_today_stays_from_yesterday() {
    let (app, site) = (TestApp::start().await, Website::start().await);
    site.page("", "Tides", &["b"]);
    site.page("b", "Winds", &[]);
    assert_eq!(index(&app, crawl(&site.url)).await["added"], 2);
    site.says("b", 503, &[], "later");
    let job = index(&app, crawl(&site.url)).await;
    assert_eq!((counts(&job), &job["error_count"]), ([0, 0, 0, 1], &json!(1)), "{job}");
    assert_eq!(uris(&app).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sitemap_lists_pages_through_other_sitemaps() {
    let (app, site) = (TestApp::start().await, Website::start().await);
    let list = |paths: &[&str]| {
        let urls: Vec<String> = paths
            .iter()
            .map(|path| format!("<url><loc>{}</loc></url>", site.at(path)))
            .collect();
        let urls = urls.concat();
        format!("<urlset>{urls}<url><loc>http://other.example/x</loc></url></urlset>")
    };
    let map = |path: &str| format!("<sitemap><loc>{}</loc></sitemap>", site.at(path));
    let index_of = format!("<sitemapindex>{}{}</sitemapindex>", map("one.xml"), map("two.xml.gz"));
    site.says("sitemap.xml", 200, &[("content-type", "application/xml")], index_of);
    site.says("one.xml", 200, &[], list(&["a", "b", "private/c", "gone"]));
    site.says("two.xml.gz", 200, &[], packed(&list(&["d"])));
    site.says("robots.txt", 200, &[], "User-agent: portolan\nDisallow: /private/\n");
    for (path, title) in [("a", "Tides"), ("b", "Winds"), ("private/c", "Wages"), ("d", "Buoys")] {
        site.page(path, title, &["/elsewhere"]);
    }
    let address = site.at("sitemap.xml");
    let job = index(&app, url(&address)).await;
    assert_eq!(counts(&job), [3, 0, 0, 0], "{job}");
    let skipped = json!({ "of another site": 2, "robots.txt": 1, "not found": 1 });
    assert_eq!(job["skipped"], skipped, "{job}");
    assert_eq!(uris(&app).await, ["a", "b", "d"].map(|path| site.at(path)));
    site.asked();

    site.says("one.xml", 200, &[], list(&["b"]));
    let job = index(&app, url(&address)).await;
    assert_eq!(counts(&job), [0, 0, 1, 2], "{job}");
    assert!(site.asked().ends_with(&["304 /b".to_owned(), "304 /d".to_owned()]));
    let few = json!({ "kind": "url", "url": address, "pages": 1, "delay_ms": 0, "allow_private": true });
    let job = index(&app, few).await;
    assert!(job["deleted"] == 0 && detail(&job).contains("--pages"), "{job}");
    // A sitemap that is away is no empty sitemap.
    site.says("two.xml.gz", 500, &[], "");
    let job = index(&app, url(&address)).await;
    assert_eq!((counts(&job), &job["error_count"]), ([0, 0, 0, 1], &json!(1)), "{job}");
    assert_eq!(uris(&app).await.len(), 2);
}

fn packed(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_follows_links_below_its_path_as_the_site_wishes() {
    let (app, site) = (TestApp::start().await, Website::start().await);
    site.says("robots.txt", 200, &[], "User-agent: *\nDisallow: /docs/secret\n");
    site.page(
        "docs/",
        "Start",
        &[
            "a",
            "a#part",
            "/docs/secret/x",
            "/other",
            "b?c=1",
            "http://other.example/docs/",
            "mailto:x@y",
        ],
    );
    site.page("docs/a", "Tides", &["deep/1", "moved", "lured", "twin"]);
    site.page("docs/b?c=1", "Winds", &[]);
    site.page("docs/deep/1", "Deep", &["2"]);
    site.page("docs/deep/2", "Deeper", &[]);
    site.page("docs/secret/x", "Secret", &[]);
    site.page("other", "Other", &[]);
    site.redirects("docs/moved", "/docs/b?c=1");
    site.redirects("docs/lured", "/docs/secret/x");
    let html = |head: &str, body: &str| format!("<!doctype html><head>{head}</head><body><p>words{body}");
    for path in ["docs/twin", "docs/one"] {
        site.says(path, 200, &[], html("<link rel=canonical href='/docs/one'>", ""));
    }
    site.says(
        "docs/hidden",
        200,
        &[],
        html("<meta name=robots content=noindex>", "<a href=behind>"),
    );
    site.says("docs/unlinked", 200, &[], html("", "<a rel=nofollow href=sponsor>"));
    site.page("docs/behind", "Behind", &[]);
    site.page("docs/sponsor", "Sponsor", &[]);
    site.page("docs/deep/1", "Deep", &["2", "../hidden", "../unlinked"]);

    let source = json!({ "kind": "crawl", "url": site.at("docs/"), "depth": 3, "delay_ms": 0, "allow_private": true });
    let job = index(&app, source.clone()).await;
    let found = ["", "a", "b?c=1", "deep/1", "deep/2", "one", "unlinked"];
    assert_eq!(
        uris(&app).await,
        found.map(|path| site.at(&format!("docs/{path}"))),
        "{job}"
    );
    let skipped = json!({ "robots.txt": 2, "noindex": 1, "over 3 links away": 1 });
    assert_eq!((&job["skipped"], &job["errors"]), (&skipped, &json!([])), "{job}");
    let asked = site.asked();
    assert!(!asked.iter().any(|asked| asked.contains("sponsor")), "{asked:?}");
    assert!(!asked.iter().any(|asked| asked.ends_with("/other")), "{asked:?}");

    // Unchanged pages are not sent again; what is gone goes; what a changed page leads to comes.
    site.page("docs/b?c=1", "Winds", &["new"]);
    site.page("docs/new", "New", &[]);
    site.forgets("docs/deep/2");
    let plan = ask(
        &app,
        &json!({ "source": source, "collection": "default", "plan": true }),
    )
    .await
    .1;
    let job = index(&app, source).await;
    assert_eq!(counts(&job), [1, 1, 1, 5], "{job}");
    assert_eq!(counts(&plan), counts(&job), "{plan}");
    assert_eq!(plan["names"]["added"], json!([site.at("docs/new")]), "{plan}");
    let sent = site
        .asked()
        .into_iter()
        .filter(|asked| asked.starts_with("304"))
        .count();
    assert_eq!(
        sent,
        2 * 4,
        "the plan and the run, without the page that has another name"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_that_was_not_finished_deletes_nothing_and_many_deletions_are_asked_for() {
    let (app, site) = (TestApp::start().await, Website::start().await);
    let names: Vec<String> = (0..14).map(|number| format!("p{number:02}")).collect();
    let links: Vec<&str> = names.iter().map(String::as_str).collect();
    site.page("", "Start", &links);
    for name in &names {
        site.page(name, name, &[]);
    }
    assert_eq!(index(&app, crawl(&site.url)).await["added"], 15);
    for name in &names[..11] {
        site.forgets(name);
    }
    let few = json!({ "kind": "crawl", "url": site.url, "pages": 3, "delay_ms": 0, "allow_private": true });
    let job = index(&app, few).await;
    assert!(job["deleted"] == 0 && detail(&job).contains("--pages"), "{job}");
    let job = index(&app, crawl(&site.url)).await;
    assert!(
        job["state"] == "failed" && detail(&job).contains("--allow-deletes"),
        "{job}"
    );
    assert_eq!(uris(&app).await.len(), 15);
    let body = json!({ "source": crawl(&site.url), "collection": "default", "allow_deletes": true });
    let (_, answer) = ask(&app, &body).await;
    let path = format!("/v1/jobs/{}", answer["job"].as_str().unwrap());
    let job = eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] != "running")).await;
    assert_eq!(job["deleted"], 11, "{job}");
    // Rules that cannot be told forbid everything.
    site.says("robots.txt", 500, &[], "");
    let job = index(&app, crawl(&site.url)).await;
    assert!(job["state"] == "failed" && detail(&job).contains("robots.txt"), "{job}");
    assert_eq!(uris(&app).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_crawls_and_keeps_no_password() {
    let (app, site) = (TestApp::start().await, Website::start().await);
    app.leave_address();
    site.page("", "Tides", &["b"]);
    site.page("b", "Winds", &[]);
    let typed = site.url.replace("http://", "http://me:hunter2@");
    let words = ["index", "--crawl", &typed, "--delay", "0s", "--allow-private"];
    let (code, text, notes) = run(&app.data, &words).await;
    assert!(code == Some(0) && text.contains("2 added"), "{text} {notes}");
    assert_eq!(uris(&app).await, [site.url.clone(), site.at("b")]);
    let ledger = std::fs::read_to_string(app.data.join("collections/default/sources.json")).unwrap();
    assert!(
        ledger.contains(&format!("crawl:{}", site.url)) && !ledger.contains("hunter2"),
        "{ledger}"
    );
    let (code, _, problem) = run(&app.data, &["index", "http://127.0.0.1/"]).await;
    assert!(
        code == Some(2) && problem.contains("--allow-private"),
        "{code:?} {problem}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_names_sources() {
    let app = TestApp::start().await;
    for source in [
        url("http://127.0.0.1/"),
        json!({ "kind": "git", "url": "git+file:///x" }),
    ] {
        let body = json!({ "source": source, "collection": "default" });
        assert_eq!(app.post("/v1/index", &body).await.0, 403);
    }
    let check = async |body: Value, words: &str| {
        let (status, problem) = ask(&app, &body).await;
        assert!(
            (400..500).contains(&status) && problem.to_string().contains(words),
            "{status} {problem}"
        );
    };
    check(json!({ "collection": "default" }), "`path` and `source`").await;
    let both = json!({ "collection": "default", "path": "/x", "source": url("http://a.example/") });
    check(both, "`path` and `source`").await;
    check(
        json!({ "collection": "default", "source": { "kind": "folder", "path": "x" } }),
        "absolute",
    )
    .await;
    check(
        json!({ "collection": "default", "source": { "kind": "url", "link": "x" } }),
        "link",
    )
    .await;
    check(
        json!({ "collection": "default", "source": url("gopher://a.example/") }),
        "gopher",
    )
    .await;
}
