using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using TorBalancer.Admin.Metrics;

namespace TorBalancer.Daemon.Admin;

/// <summary>GET /metrics. Nothing of it exists before it is asked for the first time.</summary>
internal static class MetricsRoute
{
    public static Task ServeAsync(HttpContext context, MetricParts parts) =>
        ServeAsync(context, () => MetricText.FamiliesOf(new MetricReading(parts)));

    /// <param name="families">All metrics, each with who hands over its values; called when they are to be written.</param>
    public static async Task ServeAsync(
        HttpContext context, Func<IEnumerable<(MetricDescription Family, Action<IMetricSink> Read)>> families)
    {
        bool isOpenMetrics = PrefersOpenMetrics(context.Request.Headers.Accept);
        context.Response.ContentType = isOpenMetrics ? MetricText.OpenMetricsType : MetricText.PrometheusType;
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        await MetricText.WriteAsync(context.Response.BodyWriter, families(), isOpenMetrics, context.RequestAborted);
    }

    /// <summary>
    /// Whoever names it gets it, unless text/plain weighs more (RFC 9110, section 12.5.1). "*/*" is text, which everything can read, a
    /// person with curl too.
    /// </summary>
    internal static bool PrefersOpenMetrics(IList<string?> accept)
    {
        if (!MediaTypeHeaderValue.TryParseList([.. accept.OfType<string>()], out var types))
            return false;
        double open = 0, text = 0;
        foreach (var type in types)
        {
            double quality = type.Quality ?? 1;
            if (type.MediaType.Equals("application/openmetrics-text", StringComparison.OrdinalIgnoreCase) && IsVersion(type, "1.0.0"))
                open = Math.Max(open, quality);
            else if (type.MediaType.Equals("text/plain", StringComparison.OrdinalIgnoreCase) && IsVersion(type, "0.0.4"))
                text = Math.Max(text, quality);
        }

        return open > 0 && open >= text;
    }

    private static bool IsVersion(MediaTypeHeaderValue type, string version)
    {
        foreach (var parameter in type.Parameters)
        {
            if (parameter.Name.Equals("version", StringComparison.OrdinalIgnoreCase))
                return HeaderUtilities.RemoveQuotes(parameter.Value).Equals(version, StringComparison.Ordinal);
        }

        return true;
    }
}
