//! Texts as the numbers of the model's vocabulary.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use rten_text::tokenizer::{EncodeOptions, Tokenizer};

use crate::EmbedError;

/// What the model was trained to read (its `sentence_bert_config.json`); the rest of a longer text is not seen.
const TOKENS: usize = 256;

type Reply = Result<Vec<u32>, EmbedError>;

/// The library's tokenizer stays in the thread it was made in, so it has one of its own; it ends with this.
pub(crate) struct Tokens(Sender<(String, SyncSender<Reply>)>);

impl Tokens {
    /// By a `tokenizer.json`.
    pub(crate) fn by(json: String) -> Result<Self, EmbedError> {
        let (ask, asked) = channel();
        let (opened, opening) = sync_channel(1);
        let work = move || match Tokenizer::from_json(&json) {
            Ok(tokenizer) => {
                drop(json);
                opened.send(Ok(())).ok();
                answer(&tokenizer, &asked);
            }
            Err(error) => {
                opened.send(Err(EmbedError::Load(error.to_string()))).ok();
            }
        };
        let spawned = std::thread::Builder::new().name("tokens".into()).spawn(work);
        spawned.map_err(|error| EmbedError::Load(error.to_string()))?;
        opening.recv().unwrap_or_else(|error| Err(EmbedError::Load(error.to_string())))?;
        Ok(Self(ask))
    }

    pub(crate) fn of(&self, text: &str) -> Reply {
        let (reply, replied) = sync_channel(1);
        self.0.send((text.to_owned(), reply)).map_err(|error| EmbedError::Run(error.to_string()))?;
        replied.recv().unwrap_or_else(|error| Err(EmbedError::Run(error.to_string())))
    }
}

fn answer(tokenizer: &Tokenizer, asked: &Receiver<(String, SyncSender<Reply>)>) {
    for (text, reply) in asked {
        let options = EncodeOptions { max_chunk_len: Some(TOKENS), ..EncodeOptions::default() };
        let encoded = tokenizer.encode(&*text, Some(options));
        let ids = encoded.map(rten_text::tokenizer::Encoded::into_token_ids);
        // Who asked may have gone.
        reply.send(ids.map_err(|error| EmbedError::Run(error.to_string()))).ok();
    }
}
