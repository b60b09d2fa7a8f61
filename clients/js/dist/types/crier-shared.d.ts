export { connect } from "./crier.js";
