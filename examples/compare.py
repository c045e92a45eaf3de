"""Say which of the trainings that this job came after was the best, and write it to best.json.

The job's own description names them; the result of each lies in its folder, beside ours:

    mlq enqueue --name compare --after lr-0.1,lr-0.3,lr-1.0 -- python compare.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path


def main() -> None:
    output = Path(os.environ["MLQ_OUTPUT_DIR"])
    jobs = output.parent.parent  # .../jobs/4/output
    parents = json.loads(Path(os.environ["MLQ_JOB_FILE"]).read_text())["spec"]["after"]
    results = [json.loads((jobs / one / "output" / "result.json").read_text()) for one in parents]
    best = min(results, key=lambda result: float(result["loss"]))
    (output / "best.json").write_text(json.dumps(best) + "\n")
    print(f"best learning rate: {best['lr']}")


if __name__ == "__main__":
    main()
