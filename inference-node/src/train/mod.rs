//! Training: from the documents of sealed datanet versions to a model's folder.
//!
//! [`train`] is the whole of it: tokenizer and sequences (`corpus`), first weights and AdamW
//! (`optimizer`), the loop (`run`), low-rank adapters of a base ([`train_adapter`]), checkpoints (`checkpoint`),
//! files (`export`, `card`), how often each contribution was seen (`counts`). [`Experiment`] trains again without some
//! of the data (`retrain`), and [`calibrate()`] fits the weights of a model's layers by that (`calibrate`);
//! [`Rerun`] repeats a published model's own training (`without`); what is kept between runs keeps its bits (`bits`).
//! [`evaluate`] measures the result on held-out text beside byte models (`ngram`).

mod adapter;
mod bits;
mod calibrate;
mod card;
mod checkpoint;
mod corpus;
mod counts;
mod eval;
mod export;
mod ngram;
mod optimizer;
mod progress;
mod recipe;
mod retrain;
mod run;
mod without;

pub use adapter::train_adapter;
pub use bits::Bits;
pub use calibrate::{calibrate, Calibrate, Calibration, CALIBRATION_FILE};
pub use card::CARD_FILE;
pub use checkpoint::CurvePoint;
pub use corpus::{Document, END_OF_TEXT};
pub use counts::{root_of, DatanetUses, TrainingUse};
pub use eval::{evaluate, model_bits, Heldout};
pub use export::{TrainingReceipt, CURVE_FILE, RECEIPT_FILE};
pub use ngram::{xz_len, Ngram};
pub use progress::{bar, Phase, Progress};
pub use recipe::{AdapterRecipe, Plan, Recipe};
pub use retrain::{Experiment, Retrained};
pub use run::{train, TrainReport};
pub use without::Rerun;
