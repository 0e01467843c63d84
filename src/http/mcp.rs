//! `/mcp`: the documents as tools for other people's models, over MCP's streamable HTTP. Every call stands alone, so that
//! nothing is kept between them, and each one reads on behalf of who sends it.

mod arguments;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler};
use serde_json::Value;

use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Problem};

/// Proxies close what is silent for longer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const INSTRUCTIONS: &str = "Search and read the documents of this Portolan. `search` finds passages, `fetch` reads the whole \
                            document of one, and `ask` answers a question with citations whose quotes were checked.";

/// The service at `/mcp`. Names of hosts and keys are checked before it; its bodies have at most `limit` bytes.
pub fn service(state: HttpState, limit: usize) -> StreamableHttpService<Documents, NeverSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_sse_keep_alive(Some(KEEP_ALIVE))
        .with_max_request_body_bytes(limit)
        .disable_allowed_hosts();
    let make = move || Ok(Documents { state: state.clone() });
    StreamableHttpService::new(make, Arc::new(NeverSessionManager::default()), config)
}

/// The documents as MCP sees them.
pub struct Documents {
    state: HttpState,
}

impl ServerHandler for Documents {
    fn get_info(&self) -> ServerConfig {
        let own = Implementation::new("portolan", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(own)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(arguments::tools()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        arguments::tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        // Whoever has none was stopped before he came here.
        let caller = context
            .extensions
            .get::<Parts>()
            .and_then(|parts| parts.extensions.get::<Caller>())
            .cloned()
            .ok_or_else(|| ErrorData::internal_error("the call came without its caller", None))?;
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let told = match request.name.as_ref() {
            "search" => tools::search(&self.state, &caller, arguments).await,
            "fetch" => tools::fetch(&self.state, &caller, &arguments),
            "ask" => tools::ask(&self.state, caller, arguments, &context).await,
            other => {
                let words = format!("no tool named `{other}`; there are `search`, `fetch` and `ask`");
                return Err(ErrorData::invalid_params(words, None));
            }
        };
        Ok(result(told).into())
    }
}

/// What fails is told in the result: the model that called can mend its call.
fn result(told: Answer<Value>) -> CallToolResult {
    match told {
        Ok(value) => CallToolResult::structured(value),
        Err(problem) => CallToolResult::error(vec![ContentBlock::text(words(&problem))]),
    }
}

fn words(problem: &Problem) -> String {
    let places: Vec<&str> = problem.faults.iter().map(|fault| fault.pointer.as_str()).collect();
    let places: Vec<&str> = places.into_iter().filter(|place| !place.is_empty()).collect();
    if places.is_empty() {
        return problem.detail.clone();
    }
    format!("{} (at {})", problem.detail, places.join(", "))
}
