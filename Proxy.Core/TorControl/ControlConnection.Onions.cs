using System.Text;

namespace TorBalancer.TorControl;

// Descriptors of onion services. What comes of them is told by the events HS_DESC and HS_DESC_CONTENT.
internal sealed partial class ControlConnection
{
    /// <summary>Begins to fetch a service's descriptor from the directories that keep it.</summary>
    /// <param name="address">Without .onion.</param>
    public Task FetchDescriptorAsync(string address, CancellationToken cancellationToken) =>
        CommandAsync("HSFETCH " + Word(address), cancellationToken);

    /// <summary>Begins to fetch a service's descriptor, that of the current time period, from one directory.</summary>
    /// <param name="address">Without .onion.</param>
    /// <param name="directory">Its fingerprint. ControlReplyException when tor does not know it.</param>
    public Task FetchDescriptorAsync(string address, string directory, CancellationToken cancellationToken) =>
        CommandAsync($"HSFETCH {Word(address)} SERVER={Word(directory)}", cancellationToken);

    /// <summary>Begins to upload a descriptor. ControlReplyException when tor cannot read it or does not know a directory.</summary>
    /// <param name="address">Of the service, without .onion.</param>
    /// <param name="directories">Fingerprints of those who are to get it.</param>
    /// <param name="descriptor">Lines, each ended by \n.</param>
    public async Task PostDescriptorAsync(
        string address, IReadOnlyList<string> directories, string descriptor, CancellationToken cancellationToken)
    {
        const string keyword = "HSPOST";
        var text = new StringBuilder("+").Append(keyword);
        foreach (string fingerprint in directories)
            text.Append(" SERVER=").Append(Word(fingerprint));
        text.Append(" HSADDRESS=").Append(Word(address)).Append("\r\n");
        foreach (var line in descriptor.AsSpan().TrimEnd('\n').EnumerateLines())
        {
            // A line of one dot ends the data: dots that begin a line are doubled.
            if (line.StartsWith('.'))
                text.Append('.');
            text.Append(line).Append("\r\n");
        }

        text.Append(".\r\n");
        var reply = await SendAsync(Encoding.Latin1.GetBytes(text.ToString()), keyword, cancellationToken);
        if (!reply.IsPositive)
            throw new ControlReplyException(keyword, reply);
    }
}
