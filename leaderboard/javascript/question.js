// The left and right keys go to the question before and after.
"use strict";

document.addEventListener("keydown", ({ key, target, altKey, ctrlKey, metaKey }) => {
  if (altKey || ctrlKey || metaKey || target.closest("[tabindex], input, select, textarea")) return;
  const way = { ArrowLeft: "prev", ArrowRight: "next" }[key];
  document.querySelector(`a[rel=${way}]`)?.click();
});
