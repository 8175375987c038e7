// A quiz without a server: the answer that is chosen shows what is to be said about it.
document.addEventListener("change", function (event) {
  var fieldset = event.target.closest(".quiz fieldset");
  if (!fieldset) return;
  fieldset.querySelectorAll("label").forEach(function (label) {
    label.classList.toggle("chosen", label.querySelector("input").checked);
  });
});
