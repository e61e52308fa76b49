//! Streams of each API, and what a client hears in them.

use domain::chat::Endpoint;
use serde_json::Value;

/// One kind of text of one API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) endpoint: Endpoint,
    /// What a piece of text is an event of.
    event: fn(&str) -> String,
    begin: &'static str,
    /// The end, `TEXT` where all of the text is said again.
    end: &'static str,
    /// Where the pieces are.
    piece: &'static str,
    /// Where all of the text is said again.
    again: &'static [&'static str],
    /// How an answer ends that was ended.
    pub(super) refused: &'static str,
}

pub(super) const FINISH: &str =
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

const CHAT_REFUSED: &str = "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"content_filter\"}]}\n\n\
     data: [DONE]\n\n";

pub(super) const SHAPES: [Shape; 7] = [
    Shape {
        endpoint: Endpoint::ChatCompletions,
        event: |it| {
            format!("data: {{\"id\":\"c1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{it:?}}}}}]}}\n\n")
        },
        begin: "",
        end: FINISH,
        piece: "/choices/0/delta/content",
        again: &[],
        refused: CHAT_REFUSED,
    },
    Shape {
        endpoint: Endpoint::ChatCompletions,
        event: |it| {
            let call = format!("{{\"index\":1,\"function\":{{\"arguments\":{it:?}}}}}");
            format!("data: {{\"id\":\"c1\",\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n")
        },
        begin: "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"\\\"\"}}]}}]}\n\n",
        end: FINISH,
        piece: "/choices/0/delta/tool_calls/0/function/arguments",
        again: &[],
        refused: CHAT_REFUSED,
    },
    Shape {
        endpoint: Endpoint::ChatCompletions,
        event: |it| {
            format!(
                "data: {{\"id\":\"c1\",\"choices\":[{{\"index\":0,\"delta\":{{\"reasoning_content\":{it:?}}}}}]}}\n\n"
            )
        },
        begin: "",
        end: "",
        piece: "/choices/0/delta/reasoning_content",
        again: &[],
        refused: CHAT_REFUSED,
    },
    Shape {
        endpoint: Endpoint::Completions,
        event: |it| {
            format!("data: {{\"id\":\"c1\",\"choices\":[{{\"index\":0,\"text\":{it:?},\"finish_reason\":null}}]}}\n\n")
        },
        begin: "",
        end: "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        piece: "/choices/0/text",
        again: &[],
        refused: "\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"content_filter\"}]}\n\ndata: [DONE]\n\n",
    },
    Shape {
        endpoint: Endpoint::Responses,
        event: |it| {
            let data = format!(
                "{{\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"item_id\":\"m1\",\"output_index\":0,\"content_index\":0,\"delta\":{it:?},\"logprobs\":[]}}"
            );
            format!("event: response.output_text.delta\ndata: {data}\n\n")
        },
        begin: "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r1\",\"object\":\"response\"}}\n\n",
        end: "event: response.output_text.done\ndata: {\"type\":\"response.output_text.done\",\"item_id\":\"m1\",\"output_index\":0,\"content_index\":0,\"text\":\"TEXT\"}\n\n\
              event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{\"id\":\"m1\",\"content\":[{\"type\":\"output_text\",\"text\":\"TEXT\"}]}}\n\n\
              event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r1\",\"output\":[{\"id\":\"m1\",\"content\":[{\"type\":\"output_text\",\"text\":\"TEXT\"}]}]}}\n\n",
        piece: "/delta",
        again: &["/text", "/item/content/0/text", "/response/output/0/content/0/text"],
        refused: "\"tools\":[],\"temperature\":null,\"top_p\":null,\"usage\":null}}\n\n",
    },
    Shape {
        endpoint: Endpoint::Responses,
        event: |it| {
            let data = format!(
                "{{\"type\":\"response.function_call_arguments.delta\",\"item_id\":\"m1\",\"output_index\":0,\"delta\":{it:?}}}"
            );
            format!("event: response.function_call_arguments.delta\ndata: {data}\n\n")
        },
        begin: "data: {\"type\":\"response.function_call_arguments.delta\",\"output_index\":0,\"item_id\":\"m1\",\"delta\":\"\\\"\"}\n\n",
        end: "data: {\"type\":\"response.function_call_arguments.done\",\"item_id\":\"m1\",\"output_index\":0,\"arguments\":\"\\\"TEXT\"}\n\n\
              data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r1\",\"output\":[{\"id\":\"m1\",\"type\":\"function_call\",\"arguments\":\"\\\"TEXT\"}]}}\n\n",
        piece: "/delta",
        again: &["/arguments", "/response/output/0/arguments"],
        refused: "\"tools\":[],\"temperature\":null,\"top_p\":null,\"usage\":null}}\n\n",
    },
    Shape {
        endpoint: Endpoint::Messages,
        event: |it| {
            let data = format!(
                "{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{it:?}}}}}"
            );
            format!("event: content_block_delta\ndata: {data}\n\n")
        },
        begin: "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        end: "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
              event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n\
              event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        piece: "/delta/text",
        again: &[],
        refused: "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
                  event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":0}}\n\n\
                  event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    },
];

impl Shape {
    /// The stream of an answer in these pieces.
    pub(super) fn stream(self, pieces: &[&str]) -> String {
        let events: String = pieces.iter().map(|it| (self.event)(it)).collect();
        format!("{}{events}{}", self.begin, self.end.replace("TEXT", &pieces.concat()))
    }

    /// What the pieces say together.
    pub(super) fn deltas(self, out: &str) -> String {
        let said: String =
            data(out).iter().filter_map(|it| it.pointer(self.piece)?.as_str().map(str::to_owned)).collect();
        if self.is_arguments() { said.replacen('"', "", 1) } else { said }
    }

    /// The same, and all that is said again.
    pub(super) fn heard(self, out: &str) -> Vec<String> {
        let again = data(out);
        let again = self.again.iter().filter_map(|at| again.iter().find_map(|it| it.pointer(at)?.as_str()));
        let plain = |it: &str| if self.is_arguments() { it.replacen('"', "", 1) } else { it.to_owned() };
        let heard: Vec<String> = [self.deltas(out)].into_iter().chain(again.map(plain)).collect();
        assert_eq!(heard.len(), self.again.len() + 1, "{out}");
        heard
    }

    fn is_arguments(self) -> bool {
        self.piece.ends_with("arguments") || self.again.first() == Some(&"/arguments")
    }
}

fn data(out: &str) -> Vec<Value> {
    let lines = out.lines().filter_map(|it| it.strip_prefix("data: "));
    lines.filter(|it| *it != "[DONE]").map(|it| serde_json::from_str(it).unwrap_or_else(|_| panic!("{it}"))).collect()
}

pub(super) fn chat(pieces: &[&str]) -> String {
    pieces.iter().map(|it| (SHAPES[0].event)(it)).collect()
}
