// Says of a file that is too large that it is, before it is sent: what was typed stays.
for (const input of document.querySelectorAll("input[type=file][data-most-kib]")) {
  input.addEventListener("change", () => {
    const most = Number(input.dataset.mostKib);
    const size = input.files[0]?.size ?? 0;
    input.setCustomValidity(
      size > most * 1024
        ? `The file has ${Math.floor(size / 1024)} KiB; ${most} KiB is the most.`
        : "",
    );
    input.reportValidity();
  });
}
