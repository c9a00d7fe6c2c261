// Shows the document of the service that serves this page; nothing is asked of anybody else.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
