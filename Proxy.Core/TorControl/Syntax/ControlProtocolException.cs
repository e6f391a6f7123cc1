namespace TorBalancer.TorControl.Syntax;

/// <summary>What came in is not the control protocol. The connection cannot be used any further.</summary>
internal sealed class ControlProtocolException(string message) : Exception(message);
