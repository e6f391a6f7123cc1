using System.Buffers;
using System.Globalization;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl;

// The commands, each as one method. All throw ControlReplyException when tor refuses, and what SendAsync throws.
internal sealed partial class ControlConnection
{
    // An argument with a space in it would be read as two.
    private static readonly SearchValues<char> NotInWords = SearchValues.Create(" \t\r\n\0\"");

    /// <summary>One value of GETINFO, bytes mapped to Latin-1. A value of several lines has each of them ended by \n.</summary>
    public async Task<string> GetInfoAsync(string key, CancellationToken cancellationToken)
        => (await GetInfoAsync([key], cancellationToken))[0];

    /// <summary>Several values in one round trip, in the order of <paramref name="keys"/>. One unknown key fails them all.</summary>
    public async Task<IReadOnlyList<string>> GetInfoAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        var reply = await CommandAsync("GETINFO " + string.Join(' ', keys.Select(Word)), cancellationToken);
        var values = new string[keys.Count];
        for (int i = 0; i < values.Length; i++)
        {
            string prefix = keys[i] + "=";
            var line = reply.Lines.FirstOrDefault(line => line.Text.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));
            if (line.Text is null)
                throw new ControlProtocolException($"tor's answer to GETINFO lacks {keys[i]}");
            values[i] = line.Data ?? line.Text[prefix.Length..];
        }

        return values;
    }

    /// <summary>How far tor has come in its start.</summary>
    public async Task<BootstrapStatus> GetBootstrapAsync(CancellationToken cancellationToken)
    {
        string text = await GetInfoAsync("status/bootstrap-phase", cancellationToken);
        return BootstrapStatus.Parse(text) ?? BootstrapStatus.None;
    }

    /// <summary>
    /// Options with their values; an option that is a list comes once for each entry. Not set: null, or empty for options
    /// that are sets of relays.
    /// </summary>
    public async Task<IReadOnlyList<KeyValuePair<string, string?>>> GetConfAsync(
        IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        var reply = await CommandAsync("GETCONF " + string.Join(' ', keys.Select(Word)), cancellationToken);
        return [.. reply.Lines.Select(line => ControlConfLine.Parse(line.Text))];
    }

    /// <summary>Sets options, all or none; a null value means the default. Lists are given as several entries of one key.</summary>
    public Task SetConfAsync(IReadOnlyList<KeyValuePair<string, string?>> settings, CancellationToken cancellationToken)
        => CommandAsync("SETCONF " + Settings(settings), cancellationToken);

    /// <summary>As <see cref="SetConfAsync"/>, but options given without a value go back to their default instead of empty.</summary>
    public Task ResetConfAsync(IReadOnlyList<KeyValuePair<string, string?>> settings, CancellationToken cancellationToken)
        => CommandAsync("RESETCONF " + Settings(settings), cancellationToken);

    /// <summary>NEWNYM, SHUTDOWN, ACTIVE, …</summary>
    public Task SignalAsync(string signal, CancellationToken cancellationToken) =>
        CommandAsync("SIGNAL " + Word(signal), cancellationToken);

    /// <summary>Which events tor is to send. Replaces the whole list; one name that tor does not know leaves it as it was.</summary>
    public Task SetEventsAsync(IReadOnlyList<string> names, CancellationToken cancellationToken)
        => CommandAsync(names.Count == 0 ? "SETEVENTS" : "SETEVENTS " + string.Join(' ', names.Select(Word)), cancellationToken);

    /// <summary>Closes a circuit. False: there is none of that id (the other leg of a conflux set goes with the first).</summary>
    /// <param name="onlyIfUnused">Leave it when streams are on it.</param>
    public Task<bool> CloseCircuitAsync(string id, bool onlyIfUnused, CancellationToken cancellationToken)
        => TryCommandAsync($"CLOSECIRCUIT {Word(id)}{(onlyIfUnused ? " IfUnused" : "")}", cancellationToken);

    /// <summary>Ends a stream; its client gets the SOCKS code of the reason. False: there is none of that id.</summary>
    /// <param name="reason">Of RELAY_END (tor-spec).</param>
    public Task<bool> CloseStreamAsync(string id, int reason, CancellationToken cancellationToken) =>
        TryCommandAsync(string.Create(CultureInfo.InvariantCulture, $"CLOSESTREAM {Word(id)} {reason}"), cancellationToken);

    /// <summary>Builds a new circuit of tor's own choice and returns its id at once; its progress comes as CIRC events.</summary>
    public async Task<string> ExtendNewCircuitAsync(CancellationToken cancellationToken)
    {
        var reply = await CommandAsync("EXTENDCIRCUIT 0", cancellationToken);
        var tokens = new ControlTokens(reply.Text);
        return tokens.TryWord(out string word) && word == "EXTENDED" && tokens.TryWord(out string circuit)
            ? circuit
            : throw new ControlProtocolException("tor's answer to EXTENDCIRCUIT holds no circuit id");
    }

    /// <summary>From now on tor ends when this connection does.</summary>
    public Task TakeOwnershipAsync(CancellationToken cancellationToken) => CommandAsync("TAKEOWNERSHIP", cancellationToken);

    /// <summary>Takes <see cref="TakeOwnershipAsync"/> back (tor 0.4.0.1 and later).</summary>
    public Task DropOwnershipAsync(CancellationToken cancellationToken) => CommandAsync("DROPOWNERSHIP", cancellationToken);

    private async Task<ControlReply> CommandAsync(string command, CancellationToken cancellationToken)
    {
        var reply = await SendAsync(command, cancellationToken);
        return reply.IsPositive ? reply : throw new ControlReplyException(Keyword(command), reply);
    }

    private async Task<bool> TryCommandAsync(string command, CancellationToken cancellationToken)
    {
        const int unknownEntity = 552;
        var reply = await SendAsync(command, cancellationToken);
        if (reply.Code == unknownEntity)
            return false;
        return reply.IsPositive ? true : throw new ControlReplyException(Keyword(command), reply);
    }

    private static string Settings(IReadOnlyList<KeyValuePair<string, string?>> settings)
        => string.Join(
            ' ', settings.Select(one => one.Value is null ? Word(one.Key) : $"{Word(one.Key)}={ControlString.Quote(one.Value)}"));

    private static string Word(string text)
        => text.Length > 0 && !text.AsSpan().ContainsAny(NotInWords)
            ? text
            : throw new ArgumentException($"'{text}' cannot be a word of a control command");
}
