document.title = "dev";
