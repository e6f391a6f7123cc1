using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl;

/// <summary>The connection to the control port could not be made, or ended before a reply came.</summary>
internal sealed class ControlConnectionException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>Tor did not let us in; the message names each method that was tried and why it did not work.</summary>
internal sealed class ControlAuthenticationException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Tor answered a command with an error (4xx or 5xx).</summary>
internal sealed class ControlReplyException(string command, ControlReply reply)
    : Exception($"tor answered {command} with {reply.Code} {reply.Text}")
{
    /// <summary>The command's keyword; its arguments may be secret and are not kept.</summary>
    public string Command { get; } = command;

    public ControlReply Reply { get; } = reply;

    /// <summary>For example 510 (unrecognized command), 513 (syntax), 552 (unrecognized entity), 553 (semantic error).</summary>
    public int Code => Reply.Code;
}

/// <summary>What a control port may answer with, or fail with, without anything being wrong here.</summary>
internal static class ControlFailures
{
    public static bool IsExpected(Exception failure) =>
        IsOfCommand(failure) || failure is ControlConnectionException or ControlAuthenticationException;

    /// <summary>One command came to nothing: refused, answered oddly or not in time. The connection is there for the next.</summary>
    public static bool IsOfCommand(Exception failure) =>
        failure is ControlReplyException or ControlProtocolException or TimeoutException;
}
