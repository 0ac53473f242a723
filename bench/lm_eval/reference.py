"""lm-evaluation-harness's own model class: the reference for our scores."""

import logging
from collections.abc import Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from bench.engines.engine import Opening
from bench.engines.loading import load_model, load_tokenizer, readable_folder, window
from bench.inputs.weights import Weights
from bench.types import ScoreRequest

Reference: Any = HFLM


def open_reference(opening: Opening, weights: Weights, batch: int) -> Any:
    """lm-eval's model on its own copy of the weights. It cuts no prompt: `max_length` is our window."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    folder = readable_folder(weights)
    model = load_model(opening, folder, pickled=weights.pickled)
    # HFLM ties weights again after loading, and transformers 5 reports every T5 as tied. Without this,
    # the reference would lose FLAN-T5's own output head and score with the embeddings.
    if model.config.is_encoder_decoder:
        model.config.tie_word_embeddings = False
    tokenizer = load_tokenizer(weights)
    has_bos = tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id]
    return Reference(
        pretrained=model,
        tokenizer=tokenizer,
        batch_size=batch,
        max_length=window(opening.card, model.config),
        add_bos_token=True if has_bos else None,
    )


def reference_scores(reference: Any, requests: Sequence[ScoreRequest]) -> list[float]:
    """Natural log-likelihoods of every continuation after its prompt, in the requests' order."""
    pairs = [
        (request.prompt, text) for request in requests for texts in request.continuations for text in texts
    ]
    instances = [
        Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=index)
        for index, pair in enumerate(pairs)
    ]
    return [logprob for logprob, _greedy in reference.loglikelihood(instances, disable_tqdm=True)]
