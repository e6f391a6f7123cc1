using System.Text;
using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Descriptors;

/// <summary>Writes objects into documents.</summary>
internal static class DescriptorText
{
    /// <summary>The object's lines, the last one with its end.</summary>
    public static void AppendObject(StringBuilder text, string type, ReadOnlySpan<byte> bytes)
    {
        text.Append("-----BEGIN ").Append(type).Append("-----\n");
        Base64Text.AppendLines(text, bytes);
        text.Append("-----END ").Append(type).Append("-----\n");
    }
}
