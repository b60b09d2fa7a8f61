module.exports = {
  devServer: {
    port: 8081,
    proxy: [
      { context: ['/events'], target: 'http://127.0.0.1:8080' },
      { context: ['/ws'], target: 'http://127.0.0.1:8080', ws: true },
    ],
  },
};
