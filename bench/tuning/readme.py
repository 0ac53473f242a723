"""The README.md of an adapter, as a model card for the hub."""

from jinja2 import Environment, StrictUndefined

from bench.inputs.adapter import AdapterCard

_TEMPLATE = """\
---
library_name: {{ "peft" if recipe.method == "lora" else "transformers" }}
tags: [slm-bench]
---
# {{ name }}

{{ card.base }} tuned on {{ learnt.task }} by SLM Bench {{ card.bench_version }}:
{% if recipe.method == "lora" %}
LoRA of rank {{ recipe.rank }} on {{ recipe.target }}, over a base quantised by: {{ recipe.quantize }}.
{% else %}
all weights.
{% endif %}

- Data: {{ learnt.rows }} examples of {{ learnt.source }}; {{ learnt.held_out }} more chose the checkpoint.
- Dropped before training, because they match or nearly match test items: {{ learnt.leaks|length }}.
{% for leak in learnt.leaks %}
  - {{ leak.train_id }}, like {{ leak.test_id }} ({{ "%.2f"|format(leak.similarity) }})
{% endfor %}
- Training: {{ outcome.steps }} steps of {{ outcome.batch }}, {{ "%.2f"|format(outcome.epochs) }} epochs,
  learning rate {{ "%g"|format(recipe.learning_rate) }}, seed {{ recipe.seed }},
  {{ "%.0f"|format(outcome.seconds) }} s on {{ card.device }}; step {{ outcome.best_step }} is kept.
- Loss on the answers: {{ "%.3f"|format(outcome.train_loss_first) }} at first,
  {{ "%.3f"|format(outcome.train_loss_last) }} at last.
{% for step, loss in outcome.held_out_losses %}
- Held-out loss at step {{ step }}: {{ "%.3f"|format(loss) }}.
{% endfor %}

Score it:
`bench run --models {{ card.base }} --tasks {{ learnt.task }}
--quantize {{ recipe.quantize }} --adapter PATH`.
"""


def adapter_readme(card: AdapterCard, name: str) -> str:
    """Markdown with YAML front matter; `name` is the adapter's title."""
    environment = Environment(  # noqa: S701 (Markdown of our own values, no page)
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    parts = {"card": card, "recipe": card.recipe, "learnt": card.learnt, "outcome": card.outcome}
    return environment.from_string(_TEMPLATE).render(**parts, name=name)
