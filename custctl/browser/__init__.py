"""The full-screen browser. Only `custctl browse` imports Textual; what is not in `screens` or `app` does without it."""
